"""Edits found by comparing two texts."""

import pytest

from keyturn.daemon.completion.diff import SMALL, hunks

LINES = [f"line {number} of many\n" for number in range(2 * SMALL // 10)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("abab", "ab"),
        ("ab", "abab"),
        ("aaa", "aa"),
        ("", "a"),
        ("one two", "one three two"),
        ("".join(LINES), "".join(["first\n", *LINES[1:-1], "last\n"])),
    ],
)
def test_the_edits_made_in_their_order_give_the_new_text(old: str, new: str):
    text = old
    for start, stop, inserted in hunks(old, new):
        text = text[:start] + inserted + text[stop:]
    assert text == new


def test_edits_far_apart_leave_what_is_between_them_alone():
    found = hunks("".join(LINES), "".join(["first\n", *LINES[1:-1], "last\n"]))
    assert [hunk.new for hunk in found] == ["last", "first\n"]
