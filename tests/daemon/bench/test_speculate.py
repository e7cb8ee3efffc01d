"""The benchmark of speculation, on a tiny model."""

import json
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from keyturn.daemon.bench import _cases
from keyturn.daemon.bench._cases import FRESH, KINDS, PACKAGES
from keyturn.daemon.bench._speculate.arm_rows import Timed, in_vain, row, settings
from keyturn.daemon.bench._speculate.peers import peer_rows, ways_of
from keyturn.daemon.commands.bench import command
from keyturn.models.loading import loader
from keyturn.models.speculative.pass_cost import Ledger
from support.daemon.model_engines import tiny_loaded


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "load", lambda *_, **__: tiny_loaded())


def test_every_class_and_arm_is_measured_and_drawn(tiny: None, tmp_path: Path) -> None:
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
    for each in found["rows"]:
        cost = each["cost"]
        assert cost["verifying"] + cost["drafting"] + cost["control"] <= 1
        assert cost["verifying"] > 0 or each["arm"] == "off"
    deep = [each for each in found["rows"] if each["arm"] == "del"]
    assert all(each["by_exit"] for each in deep)
    assert [s["context"] for s in found["settings"]] == [96, 128]
    assert all("auto_edits" in s["ratios"] for s in found["settings"])
    assert 0 < found["in_vain"]["control"] < 10
    assert all(row["ratio"] == 1 for row in found["rows"] if row["arm"] == "off")
    assert all(row["completions"] + row["different"] == 2 for row in found["rows"])
    assert found["ratios"].keys() >= {"auto_fresh", "auto_edits", "auto_worst", "lookup"}
    assert plot.stat().st_size > 1000


def test_ratios_are_of_completions_that_are_the_same() -> None:
    plain = [Timed(9, 80.0, 8, 0, 0, True), Timed(9, 80.0, 8, 0, 0, True)]
    found = [Timed(9, 20.0, 2, 8, 6, True), Timed(9, 70.0, 7, 8, 1, False)]
    one = row((512, 1, "fresh", "auto"), found, plain, {})
    assert (one.ratio, one.completions, one.different) == (4.0, 1, 1)
    assert (one.tokens_per_second, one.tokens_per_pass, one.accepted) == (450.0, 4.0, 0.75)


def test_the_time_is_split_and_what_gained_nothing_is_a_share_of_plain_decoding() -> None:
    plain = [Timed(9, 80.0, 8, 0, 0, True)]  # 10 ms a token
    found = [Timed(9, 100.0, 6, 8, 2, True)]
    ledger, none = Ledger(), Ledger()
    for accepted in (2, 0):
        ledger.add(4, accepted, exit_layer=3)
        ledger.took(20.0, 10.0 * (1 + accepted), 1.0, 5.0, not accepted)
    none.add(0, 0, None)
    none.took(10.0, 10.0, 0.4, 0.0, vain=True)
    one = row((512, 1, "fresh", "auto"), found, plain, {"exit": ledger, "": none})
    assert (one.cost.verifying, one.cost.drafting, one.cost.control) == (0.5, 0.1, 0.024)
    assert one.cost.vain_rounds == 2
    assert in_vain([one]) == {"control": 0.07, "drafting": 0.25}
    assert one.by_drafter == {"exit": (8, 2)}
    assert one.by_exit == {3: (8, 2)}
    assert settings([one]) == [{"context": 512, "threads": 1, "ratios": {"auto_fresh": 0.8}}]


def test_both_ways_of_transformers_are_measured_beside_its_plain_decoding(
    tiny_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = loader.load(str(tiny_folder), "cpu", "float32")
    places = {FRESH: list(islice(_cases.fresh(PACKAGES), 1))}
    rows = list(peer_rows(loaded, "float32", places, context=96, new_tokens=4))
    assert "does not run" not in capsys.readouterr().err
    assert [row.arm for row in rows] == list(ways_of(loaded.config.layers))
    assert rows[0].ratio == 1
    assert all(row.completions + row.different == 1 for row in rows)  # a tiny model has near-ties


def test_edits_are_of_three_kinds_and_a_move_has_an_earlier_file() -> None:
    found = []
    for place in _cases.edits(PACKAGES):
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
