"""What was lately changed, as a person sees it."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.next_edit.recent_edits import MOST_HUNKS, RecentEdits
from support.next_edit import Edited

TEXTS = st.text(alphabet="ab\n ", max_size=40)
EDITS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12), TEXTS), max_size=30)


def undone(text: str, recent: RecentEdits) -> str:
    for hunk in sorted(recent, key=lambda hunk: -hunk.start):
        text = text[: hunk.start] + hunk.old + text[hunk.stop :]
    return text


@given(TEXTS, EDITS)
def test_hunks_are_apart_and_say_what_stood_there(text: str, edits: list[tuple[int, int, str]]):
    edited = Edited(text)
    for start, length, new in edits:
        start = min(start, len(edited.text))
        edited.edit(start, min(start + length, len(edited.text)), new)
    hunks = sorted(edited.recent, key=lambda hunk: hunk.start)
    for one, other in itertools.pairwise(hunks):
        assert "\n" in edited.text[one.stop : other.start]
    if len(hunks) < MOST_HUNKS:
        assert undone(edited.text, edited.recent) == text


def test_keys_in_one_word_are_one_change() -> None:
    edited = Edited("def f(count):\n    return count\n")
    edited.edit(10, 11, "").edit(9, 10, "").edit(8, 9, "").edit(7, 8, "").edit(6, 7, "")
    for number, key in enumerate("total"):
        edited.edit(6 + number, 6 + number, key)
    [hunk] = edited.recent
    assert (hunk.old, edited.text[hunk.start : hunk.stop]) == ("count", "total")


def test_what_was_put_back_is_no_change() -> None:
    edited = Edited("one\ntwo\n").edit(0, 3, "three").edit(0, 5, "one")
    [hunk] = edited.recent  # it is known, so that it is not proposed again
    assert edited.text[hunk.start : hunk.stop] == hunk.old


def test_the_newest_change_comes_first() -> None:
    edited = Edited("one\ntwo\nthree\n").edit(8, 13, "x").edit(0, 3, "y")
    assert [hunk.old for hunk in edited.recent] == ["one", "three"]


def test_so_many_are_kept() -> None:
    edited = Edited("a\n" * 300)
    for line in range(300):
        edited.edit(2 * line, 2 * line + 1, "b")
    assert len(list(edited.recent)) == MOST_HUNKS
