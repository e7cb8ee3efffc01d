"""Machine code is made once for a processor, and again when what was kept is not sound."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from keyturn.models.hub.cache_folder import cache_folder
from keyturn.models.nn.cpu.machine_code import MachineCode, load
from keyturn.models.nn.cpu.native import Native, missing
from keyturn.models.nn.cpu.processor import Processor
from keyturn.models.nn.cpu.proof import sound
from support.models.native import native, processors

if not processors():
    pytest.skip("our kernels need an x86 processor with AVX2", allow_module_level=True)


def test_code_that_is_kept_is_not_compiled_again_and_damaged_code_is(tmp_path: Path) -> None:
    ours = native()
    kept = cache_folder() / "kernels" / f"{ours.code.name}.o"
    whole = kept.read_bytes()
    notes: list[str] = []
    (tmp_path / kept.name).write_bytes(whole)

    def found(is_sound: bool = True) -> MachineCode | None:
        return load(tmp_path, notes.append, ours.processor, lambda code: is_sound)

    code = found()
    assert code is not None
    assert code.address("attend float32")
    assert notes == []
    (tmp_path / kept.name).write_bytes(whole[:-9])
    assert found(is_sound=False) is None
    assert "compiling kernels for this processor, once" in notes[0]
    assert "wrong on this processor" in notes[1]
    assert found() is None  # which is not tried again
    assert len(notes) == 2


def test_code_that_cannot_be_kept_is_used_and_nothing_of_it_stays(tmp_path: Path) -> None:
    ours = native()
    (tmp_path / f"{ours.code.name}.o" / "in the way").mkdir(parents=True)
    code = load(tmp_path, print, ours.processor, lambda code: True)
    assert code is not None
    assert code.address("attend float32")
    assert [path.name for path in tmp_path.iterdir()] == [f"{ours.code.name}.o"]


def test_a_trial_tells_right_code_from_wrong_code() -> None:
    ours = native()
    assert sound(ours)
    for element in ("float32", "int8"):
        other = {f"attend {element}": ours.code.address(f"remember {element}")}
        code = SimpleNamespace(address=lambda kernel: other.get(kernel, ours.code.address(kernel)))  # noqa: B023
        assert not sound(replace(ours, code=code))  # type: ignore[arg-type]


def test_another_processor_has_code_of_another_name() -> None:
    names = {native(name).code.name for name in processors()}
    assert len(names) == len(processors())


def test_a_processor_without_what_the_kernels_need_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Processor("nehalem", frozenset({"+sse4.2"}))
    assert missing(old) == "needs an x86 processor with AVX2 and FMA"
    monkeypatch.setenv("NUMBA_CPU_NAME", old.name)
    monkeypatch.setenv("NUMBA_CPU_FEATURES", ",".join(old.features))
    assert Native.here(tmp_path, print, sound) is None


def test_a_kernel_that_there_is_not_has_no_address() -> None:
    assert native().code.address("fly") == 0


@pytest.mark.parametrize(
    ("features", "dot", "registers"),
    [
        ({"+avx512vnni", "+avx512vl", "+avx512bw", "+avx512f"}, "vnni-512", 32),
        ({"+avx2", "+avxvnni"}, "vnni-256", 8),
        ({"+avx2"}, "avx2", 8),
        ({"+avx512f", "+avx2"}, "avx2", 32),
        ({"+neon"}, None, 8),
    ],
)
def test_what_a_processor_has_decides_how_it_multiplies(
    features: set[str], dot: str | None, registers: int
) -> None:
    processor = replace(Processor.here(), features=frozenset(features))
    assert (processor.dot, processor.registers) == (dot, registers)
