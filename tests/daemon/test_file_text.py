"""Line ends and byte order marks: the model never sees them, the file always gets its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.completion.request import InfillRequest
from keyturn.daemon.file_text import FileText
from keyturn.lsp.backend import TextEdit

RAW = st.text("\ufeff\r\nab", max_size=12)


@pytest.mark.parametrize(
    ("prefix", "suffix", "newline"),
    [
        ("a\r\nb", "c\r\n", "\r\n"),
        ("a\nb", "c\n", "\n"),
        ("a\nb\r\nc", "", "\r\n"),  # the nearest above the cursor decides
        ("a\r\nb\nc", "\r\n", "\n"),
        ("a", "b\r\n", "\r\n"),
        ("a", "b\n\r\n", "\n"),
        ("", "", "\n"),
        ("a\r", "b", "\n"),
    ],
)
def test_a_completion_gets_the_files_line_ends(prefix: str, suffix: str, newline: str) -> None:
    assert FileText.of(prefix + suffix).newline(len(prefix)) == newline
    near = InfillRequest(prefix, suffix, newline=newline).near(100)
    assert near.restored("x\ny") == f"x{newline}y"


def test_the_model_sees_line_feeds_and_no_byte_order_mark() -> None:
    raw = "\ufeffa\r\nb\ufeffc\r\nd"
    text = FileText.of(raw)
    assert text.text == "a\nb\ufeffc\nd"
    assert text.text[text.offset(raw.index("c")) :] == "c\nd"
    assert [text.offset(place) for place in (0, 1, 2)] == [0, 0, 1]


def test_a_text_with_neither_is_held_once_also_after_an_edit() -> None:
    text = FileText.of("a\nb\rc")
    assert text.text is text.raw
    text, edited = FileText.of("a\nb\n").edited(TextEdit(1, 1, "x"))
    assert edited.text is text.text is text.raw


@given(raw=RAW, edits=st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14), RAW), max_size=6))
def test_edits_give_what_the_whole_text_gives_and_say_what_they_were(raw: str, edits) -> None:
    text = FileText.of(raw)
    for one, other, new in edits:
        start, end = sorted((min(one, len(text.raw)), min(other, len(text.raw))))
        before, edit = text, TextEdit(start, end, new)
        text, edited = before.edited(edit)
        assert text == FileText.of(edit.apply(before.raw))
        assert edited.edit.apply(before.text) == edited.text == text.text
        assert (text.text is text.raw) == (text.text == text.raw)


@given(raw=RAW, place=st.integers(0, 12))
def test_a_place_is_in_the_same_place_in_both_forms(raw: str, place: int) -> None:
    place = min(place, len(raw))
    if raw[place - 1 : place + 1] == "\r\n" and place:
        return  # inside a line end, where no editor can be
    text = FileText.of(raw)
    assert text.text[: text.offset(place)] == FileText.of(raw[:place]).text


def test_only_what_is_near_is_looked_at() -> None:
    near = InfillRequest("a" * 1000, "b" * 1000).near(10)
    assert (near.prefix, near.suffix) == ("a" * 10, "b" * 10)
