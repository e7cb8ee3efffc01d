"""The benchmarks are asked in the same words."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from keyturn.daemon.__main__ import main
from keyturn.daemon.bench import _cases, _options
from keyturn.daemon.commands.bench import command

GROUP = click.Context(command)
NAMES = command.list_commands(GROUP)
EVERYWHERE = {"--model", "--device", "--dtype", "--threads", "--json"}


def options(name: str) -> dict[str, click.Parameter]:
    found = command.get_command(GROUP, name)
    assert found is not None
    return {word: each for each in found.params for word in each.opts if word.startswith("--")}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "next-edit"])  # no model's
def test_every_benchmark_can_be_told_the_model_the_device_and_the_threads(name: str):
    assert options(name).keys() >= EVERYWHERE


def test_an_option_means_the_same_wherever_it_is():
    kinds: dict[str, set[str]] = {}
    for name in NAMES:
        for word, each in options(name).items():
            kinds.setdefault(word, set()).add(each.type.name)
    assert {word: found for word, found in kinds.items() if len(found) > 1} == {}
    compared = {name for name in NAMES if "--llama-server" in options(name)}
    assert compared == {name for name in NAMES if "--llama-model" in options(name)}
    assert compared == {"decode", "edit", "typing"}


@pytest.mark.parametrize(
    "words",
    [
        ["bench", "decode"], ["bench", "edit"], ["bench", "grammar"], ["bench", "speculate"],
        ["exits", "info"], ["exits", "train", "--only-corpus", "--corpus", __file__],
    ],
)  # fmt: skip
def test_where_no_model_is_named_the_configured_one_is_used_and_said(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("KEYTURN_CACHE", str(tmp_path / "cache"))
    missing, settings = tmp_path / "no-such-model", tmp_path / "config.toml"
    settings.write_text(f'[model]\nname = "{missing}"\n')
    done = CliRunner().invoke(main, words)
    first, *_, last = done.stderr.splitlines()
    assert first == f"model: {missing} ({settings})"
    assert last == f"keyturn: there is no file or folder '{missing}'"
    other = CliRunner().invoke(main, [*words, "--model", f"{missing}-either"])
    assert f"keyturn: there is no file or folder '{missing}-either'" in other.stderr
    assert "model: " not in other.stderr
    settings.write_text('[model]\nname = "lookup"\n')
    assert "name one with --model" in CliRunner().invoke(main, words).stderr


def test_llama_cpp_reads_the_models_own_file_unless_told_another():
    own, other = Path("own.gguf"), Path("other.gguf")
    assert _options.llama_file(own, None) == own
    assert _options.llama_file(own, other) == other
    assert _options.llama_file(Path("folder"), other) == other
    with pytest.raises(click.UsageError, match="name a file with --llama-model"):
        _options.llama_file(Path("folder"), None)


def test_recordings_that_nobody_named_are_asked_for_in_one_line():
    done = CliRunner().invoke(command, ["traces"])
    assert done.exit_code == 2
    assert "editing-traces" in done.output.splitlines()[-1]


def test_the_problems_of_infilling_come_with_the_package():
    assert next(_cases.infilling(_cases.PROBLEMS / "HumanEval-SingleLineInfilling.jsonl.gz"))


@pytest.mark.parametrize("package", ["no_such_package", "constants_only"])
def test_packages_without_functions_to_complete_are_refused(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "constants_only").mkdir()
    (tmp_path / "constants_only" / "__init__.py").write_text("VALUE = 1\n" * 200)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(click.UsageError, match="see --package"):
        list(_cases.fresh((package,)))


def test_an_error_of_ours_is_one_line(tmp_path: Path):
    done = CliRunner().invoke(command, ["edit", "--model", str(tmp_path / "none")])
    assert (done.exit_code, done.output.count("\n")) == (3, 1)
