"""The script for GPUs runs through on a CPU, and a part that fails leaves the others' results."""

import json
from pathlib import Path

import pytest
import torch

from keyturn.daemon.bench._gpu.table import table

from .gpu import Bench, measure

CPU = torch.device("cpu")


def test_every_part_gives_a_figure_or_says_why_not(tmp_path: Path) -> None:
    found = measure(CPU, True, None, tmp_path / "gpu.json", 300.0)
    parts = found["parts"]
    assert list(parts) == list(Bench(CPU, True, None).parts())
    for name, part in parts.items():
        assert "error" not in part, (name, part)
        assert ("skipped" in part) == (name in ("greedy", "speculation"))
    assert json.loads((tmp_path / "gpu.json").read_text()) == found
    assert parts["attention"]["readable"] == 0
    assert parts["attention"]["torch"] < 1e-3
    assert parts["decode"]["32"]["int4"]["tokens_per_s"] > 0
    shown = table(found)
    for words in ("memory roof", "decode after 32 tokens, int8", "prefill of 64", "256 tokens",
                  "a pass by its tokens", "skipped: needs --model-file"):  # fmt: skip
        assert words in shown


def test_what_there_is_no_time_for_is_skipped_and_said(tmp_path: Path) -> None:
    found = measure(CPU, True, None, tmp_path / "gpu.json", -1.0, ("machine", "decode"))
    assert {part["skipped"] for part in found["parts"].values()} == {"out of time"}
    assert "out of time" in table(found)


def test_a_part_that_fails_is_reported_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Bench) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(Bench, "roof", fail)
    found = measure(CPU, True, None, tmp_path / "gpu.json", 300.0, ("machine", "roof", "verify"))
    assert found["parts"]["roof"]["error"] == "MemoryError: no room"
    assert found["parts"]["verify"]["1"] > 0
