"""The benchmark of speculation, on a tiny model."""

import json
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyturn.daemon.bench import _places, speculate
from keyturn.daemon.bench._places import FRESH, KINDS, PACKAGES
from keyturn.daemon.bench._speculating_peers import peer_rows, ways_of
from keyturn.daemon.commands.bench import command
from keyturn.models import loader

from .tiny_engine import tiny_loaded


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "load", lambda *_, **__: tiny_loaded())


def test_every_class_and_arm_is_measured_and_drawn(tiny: None, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot = tmp_path / "plot.png"
    arguments = ["speculate", "--context", "96", "--context", "128", "--threads", "1",
                 "--completions", "2", "--new-tokens", "8", "--plot", str(plot),
                 "--json"]  # fmt: skip
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    arms = {"off", "auto", "lookup", "recycle"}
    assert arms <= {row["arm"] for row in found["rows"]}
    assert {row["kind"] for row in found["rows"]} == set(KINDS)
    assert all(row["ratio"] == 1 for row in found["rows"] if row["arm"] == "off")
    assert all(row["completions"] + row["different"] == 2 for row in found["rows"])
    assert found["ratios"].keys() >= {"auto_fresh", "auto_edits", "auto_worst", "lookup"}
    assert plot.stat().st_size > 1000


def test_ratios_are_of_completions_that_are_the_same() -> None:
    plain = [speculate.Timed(9, 80.0, 8, 0, 0, True), speculate.Timed(9, 80.0, 8, 0, 0, True)]
    found = [speculate.Timed(9, 20.0, 2, 8, 6, True), speculate.Timed(0, 0.0, 0, 0, 0, False)]
    row = speculate._row(512, 1, "fresh", "auto", found, plain)
    assert (row.ratio, row.completions, row.different) == (4.0, 1, 1)
    assert (row.tokens_per_second, row.tokens_per_pass, row.accepted) == (450.0, 4.0, 0.75)


def test_both_ways_of_transformers_are_measured_beside_its_plain_decoding(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = loader.load(str(tiny_folder), "cpu", "float32")
    places = {FRESH: list(islice(_places.fresh(PACKAGES), 1))}
    rows = list(peer_rows(loaded, "float32", places, context=96, new_tokens=4))
    assert "does not run" not in capsys.readouterr().err
    assert [row.arm for row in rows] == list(ways_of(loaded.config.layers))
    assert rows[0].ratio == 1
    assert all(row.completions + row.different == 1 for row in rows)  # a tiny model has near-ties


def test_edits_are_of_three_kinds_and_a_move_has_an_earlier_file() -> None:
    found = []
    for place in _places.edits(PACKAGES):
        found.append(place)
        if len(found) == 9:
            break
    ways = {place.name.split()[0] for place in found}
    assert ways == {"repeat", "rename", "move"}
    for place in found:
        assert bool(place.earlier) is place.name.startswith("move")
        assert place.prefix.endswith(":\n") or place.prefix.splitlines()[-1].strip()


def test_a_missing_file_of_problems_is_a_usage_error(tiny: None) -> None:
    arguments = ["speculate", "--kind", "infilling", "--infilling-file", "none.jsonl"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    assert "--infilling-file" in result.output
