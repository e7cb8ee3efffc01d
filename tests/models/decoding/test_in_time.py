"""A suggestion ends with its line once its time is over, and never inside of one."""

import copy

import pytest

from keyturn.api.request import Extent
from keyturn.models.decoding.in_time import InTime
from keyturn.models.decoding.stops import Anything, stop_rule


class Hand:
    """A clock that is set."""

    now = 5.0

    def __call__(self) -> float:
        return self.now


def fed(rule: InTime, clock: Hand, pieces: list[tuple[float, str]]) -> tuple[str, bool]:
    text = ""
    for now, piece in pieces:
        clock.now = 5 + now
        kept, over = rule.feed(piece)
        text += kept
        if over:
            return text, True
    return text, False


@pytest.mark.parametrize(
    ("pieces", "text", "over"),
    [
        ([(0.1, "a\nb"), (0.2, "\nc")], "a\nb\nc", False),
        ([(0.1, "a\nb"), (0.5, "c"), (0.6, "d\ne")], "a\nbcd", True),
        ([(0.5, "a"), (9.0, "b"), (99.0, "c")], "abc", False),
        ([(0.5, "a\nb\nc")], "a", True),
        ([(0.1, "a"), (0.5, "\n"), (0.6, "b")], "a", True),
        ([(0.1, "if a {"), (0.5, "\n  b"), (0.6, "\nc")], "if a {\n  b", True),
        ([(0.1, "x\nif a"), (0.5, " {\n  b\nc")], "x\nif a {\n  b", True),
    ],
)
def test_time_ends_a_line_and_cuts_none(
    pieces: list[tuple[float, str]], text: str, over: bool
) -> None:
    clock = Hand()
    assert fed(InTime(Anything(), 0.4, clock=clock), clock, pieces) == (text, over)


def test_a_block_ends_where_it_would_or_with_a_line_when_time_is_over() -> None:
    clock = Hand()
    body = "    a = 1\n    b = 2\nend"

    def block() -> InTime:
        return InTime(stop_rule(Extent.BLOCK, "def f():\n", "", ("#",)), 0.4, clock=clock)

    assert fed(block(), clock, [(0, body)]) == ("    a = 1\n    b = 2", True)
    pieces = [(0.0, "    a = 1"), (1.0, "\n"), (1.1, "    b"), (1.2, " = 2")]
    assert fed(block(), clock, pieces) == ("    a = 1", True)


def test_a_line_that_the_code_below_cannot_follow_is_not_the_last_however_late_it_is() -> None:
    clock, asked = Hand(), []

    def fits(text: str) -> bool:
        asked.append(text)
        return text.endswith("}")

    rule = InTime(Anything(), 0.4, fits, clock)
    pieces = [(0.1, "{ a\n  b"), (0.5, "\n  c"), (0.6, "\n}"), (0.7, "\nd")]
    assert fed(rule, clock, pieces) == ("{ a\n  b\n  c\n}", True)
    assert asked == ["{ a\n  b", "{ a\n  b\n  c", "{ a\n  b\n  c\n}"]


def test_a_copy_goes_its_own_way() -> None:
    clock = Hand()
    rule = InTime(stop_rule(Extent.BLOCK, "def f():\n", "", ("#",)), 0.4, clock=clock)
    rule.feed("    a = 1\n")
    other = copy.copy(rule)
    assert other.feed("x") == ("", True)
    assert rule.feed("    b") == ("\n    b", False)
