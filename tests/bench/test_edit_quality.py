"""The cases of the quality table are what they say, and refreshing really ends with recompute."""

from itertools import islice
from pathlib import Path

import pytest

from keyturn.daemon.completion.diff import hunks
from keyturn.models.prompts.fim import Order
from support.daemon.model_engines import tiny_loaded

from .edit_quality import ARMS, Case, Judge, cases, table

ROOT = Path(__file__).parents[2] / "daemon"


def some(count: int, seed: int = 0) -> list[Case]:
    return list(islice(cases([ROOT], seed, 90), count))


def test_cases_have_the_edit_that_they_are_named_for() -> None:
    found = some(80)
    assert {case.kind for case in found} == {"insert", "delete", "both", "jump"}
    assert {case.place for case in found} == {"near", "far", "behind", "jump"}
    for case in found:
        assert case.target not in ("", "\n")
        lines = case.after.count("\n") - case.before.count("\n")
        assert lines == {"insert": 5, "delete": -5, "both": 0, "jump": 0}[case.kind]
        assert (case.before == case.after) == (case.kind == "jump") or case.kind == "both"
        behind = case.before[case.old_cursor :] != case.after[case.cursor :]
        assert behind == (case.place == "behind" or case.kind == "jump") or case.kind == "both"
        text = case.before
        for hunk in hunks(text, case.after):
            text = text[: hunk.start] + hunk.new + text[hunk.stop :]
        assert text == case.after


def test_the_same_seed_gives_the_same_cases() -> None:
    assert some(5) == some(5) != some(5, seed=1)


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
def test_after_a_refresh_the_answer_is_that_of_recomputing(order: Order) -> None:
    judge = Judge(tiny_loaded(), order)
    results = [(case, judge.answers(case, ARMS)) for case in some(3)]
    rows = {row.arm: row for row in table(results) if row.group == "all"}
    assert rows["default, after refresh"].agreement == rows["recompute"].agreement == 100.0
    assert rows["recompute"].cost == 100.0
    assert rows["PIE"].encoded <= rows["exact prefix"].encoded <= rows["recompute"].encoded
    assert rows["PIE"].encoded < rows["PIE, last 32"].encoded
