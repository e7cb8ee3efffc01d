"""A completion may end only where the suffix still parses."""

import pytest

from keyturn.models.grammar.languages import open_oracle
from keyturn.models.grammar.oracle import Opening
from keyturn.models.grammar.right import PATIENCE, RightContext

LEFT = "def total(items):\n    return sum("
RIGHT = ")\n\n\ndef other():\n    return 1\n"


def opened(left: str = LEFT) -> Opening:
    opening = open_oracle("python").open(left)
    assert opening.constrained
    return opening


def fits(middle: str, right: str = RIGHT) -> bool:
    state = opened().state.feed(middle.encode())
    return state is not None and RightContext(right).fits(state)


@pytest.mark.parametrize("middle", ["items", "i for i in items", "items, 1", "(items)"])
def test_a_middle_that_joins_both_sides_may_end(middle: str):
    assert fits(middle)


@pytest.mark.parametrize("middle", ["items)", "(items", "items +", "lambda", "[items"])
def test_a_middle_that_breaks_the_suffix_may_not_end(middle: str):
    assert not fits(middle)


def test_the_end_of_the_file_counts_when_the_suffix_reaches_it():
    state = opened("def f():\n").state
    assert not RightContext("").fits(state)
    assert not RightContext("\n").fits(state)
    body = state.feed(b"    pass")
    assert body is not None
    assert RightContext("").fits(body)
    assert RightContext("\n").fits(body)


def test_only_so_many_lines_of_the_suffix_count():
    state = opened("x = ").state.feed(b"1")
    assert state is not None
    assert RightContext("\ny = 2\n)\n", lines=1).fits(state)
    assert not RightContext("\ny = 2\n)\n", lines=2).fits(state)


def test_a_suffix_that_nothing_passes_is_trusted_up_to_where_it_breaks():
    right = RightContext(")\ny = = 2\nz = 3\n")
    state = opened().state.feed(b"items")
    wrong = opened().state.feed(b"items)")
    assert state is not None
    assert wrong is not None
    assert [right.fits(state) for _ in range(PATIENCE)] == [False] * (PATIENCE - 1) + [True]
    assert right.relaxed
    assert right.fits(state)
    assert not right.fits(wrong)  # the first line still counts


def test_a_suffix_that_something_passed_stays_trusted():
    right = RightContext(RIGHT)
    good, bad = opened().state.feed(b"items"), opened().state.feed(b"items)")
    assert good is not None
    assert bad is not None
    assert right.fits(good)
    assert not any(right.fits(bad) for _ in range(PATIENCE * 3))
    assert not right.relaxed
