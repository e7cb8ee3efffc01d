"""`keyturn doctor`: what there is, what there is not, and what to do about it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from keyturn.daemon.commands.doctor import command
from keyturn.models.nn.autotune import TOKENS, Measured, fastest
from support.models.measured import share_code
from support.models.native import processors


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder whose kernels have been measured already."""
    monkeypatch.setenv("KEYTURN_CACHE", str(tmp_path))
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path))
    times = Measured("int8", ["int8-onednn"], {"int8-onednn": [1.0] * len(TOKENS)})
    fastest(tmp_path, print, take=lambda: times, busy=lambda: False, native=share_code(tmp_path))
    return tmp_path


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def findings(result: Result) -> dict[str, Any]:
    return json.loads(result.stdout)["findings"]


def test_everything_that_a_completion_needs_is_looked_at() -> None:
    result = doctor("--json")
    assert result.exit_code == 0
    looked_at = {"device", "model", "kernels", "threads", "cache folder", "free space", "torch"}
    looked_at |= {"transformers", "CUDA", "triton", "flash-attn", "flash-attn-4", "attention"}
    assert looked_at <= findings(result).keys()


def test_bits_that_this_processor_does_not_promise_are_named(cache: Path) -> None:
    assert "not exact" not in findings(doctor("--json"))["kernels"]["found"]
    (cache / "kernels.json").unlink()
    times = Measured("int7", [], {"int8-onednn": [1.0] * len(TOKENS)})
    fastest(cache, print, take=lambda: times, busy=lambda: False, native=share_code(cache))
    assert "sums are not exact here" in findings(doctor("--json"))["kernels"]["found"]


def test_a_person_gets_a_line_for_each_thing_and_each_piece_of_advice() -> None:
    result = doctor()
    found = findings(doctor("--json"))
    for name, finding in found.items():
        assert any(name in line and finding["found"] in line for line in result.stdout.split("\n"))
    advice = [finding["advice"] for finding in found.values() if finding["advice"]]
    assert [line.partition("→ ")[2] for line in result.stdout.split("\n") if "→" in line] == advice


def test_a_model_that_is_not_here_is_no_fault_and_says_how_to_get_it() -> None:
    model = findings(doctor("--json"))["model"]
    assert model["ok"]
    assert "keyturn model pull qwen2.5-coder-0.5b" in model["advice"]


def test_a_model_in_a_folder_is_found(tiny_folder: Path) -> None:
    assert (
        "not here" not in findings(doctor("--json", "--model", str(tiny_folder)))["model"]["found"]
    )


def test_an_unknown_model_is_a_fault() -> None:
    result = doctor("--json", "--model", "nope")
    assert result.exit_code == 3
    assert not findings(result)["model"]["ok"]
    assert "unknown model" in findings(result)["model"]["advice"]


def test_the_size_of_a_repository_is_not_known_before_it_is_fetched() -> None:
    model = findings(doctor("--json", "--model", "someone/something"))["model"]
    assert "size unknown" in model["advice"]


def test_the_configured_model_is_looked_at(cache: Path) -> None:
    (cache / "config.toml").write_text("[model]\nname = 'nope'\n")
    result = doctor("--json")
    assert result.exit_code == 3
    assert "unknown model 'nope'" in findings(result)["model"]["advice"]
    (cache / "config.toml").write_text("[model]\nname = 'lookup'\n")
    assert doctor().exit_code == 0


def test_each_problem_of_the_settings_is_a_finding(cache: Path) -> None:
    assert "changed" in findings(doctor("--json"))["settings"]["found"]
    (cache / "config.toml").write_text("[broken")
    result = doctor("--json")
    assert result.exit_code == 0  # completions work, with what counts instead
    assert "config.toml" in findings(result)["settings"]["found"]
    (cache / "config.toml").write_text("[model]\ncache_mib = -1\ndtipe = 'int8'\n")
    found = findings(doctor("--json"))
    problems = found["settings, 1"]["found"] + found["settings, 2"]["found"]
    assert "model.cache_mib" in problems
    assert "dtipe" in problems


def test_a_cache_folder_that_cannot_be_written_is_a_fault(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("KEYTURN_CACHE", str(cache / "file" / "below"))
    result = doctor("--json")
    assert result.exit_code == 3
    assert not findings(result)["cache folder"]["ok"]
    assert "KEYTURN_CACHE" in findings(result)["cache folder"]["advice"]


def test_the_attention_that_is_used_is_named_with_what_the_others_lack() -> None:
    found = findings(doctor("--json"))["attention"]["found"]
    if not torch.cuda.is_available():
        best = "numba" if processors() else "torch (numba needs"
        assert found.startswith(best)
        assert "triton needs a CUDA GPU" in found
    for name in ("triton", "flash-attn", "flash-attn-4"):
        assert name in found
