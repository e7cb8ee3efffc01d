"""Bytes and a place in, the text on either side of the cursor out; or one clear line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.cursor import (
    Around,
    ByteOffset,
    InputError,
    LineColumn,
    Marker,
    Place,
    cut,
    decode_text,
)


@pytest.mark.parametrize(
    ("text", "place", "prefix"),
    [
        ("", LineColumn(1, 1), ""),
        ("", ByteOffset(0), ""),
        ("ab\ncd\n", LineColumn(1, 3), "ab"),
        ("ab\ncd\n", LineColumn(2, 1), "ab\n"),
        ("ab\ncd\n", LineColumn(3, 1), "ab\ncd\n"),  # the empty line after the last line end
        ("ab\r\ncd", LineColumn(1, 3), "ab"),  # before the carriage return
        ("ab\r\ncd", LineColumn(2, 2), "ab\r\nc"),
        ("ab\rcd", LineColumn(2, 2), "ab\rc"),
        ("\tx", LineColumn(1, 2), "\t"),  # a tab is one column
        ("é😀x", LineColumn(1, 3), "é😀"),  # characters, not bytes, not UTF-16
        ("é😀x", ByteOffset(6), "é😀"),
        ("\ufeffab", LineColumn(1, 1), "\ufeff"),  # nothing goes before a byte order mark
        ("\ufeffab", ByteOffset(4), "\ufeffa"),
        ("a\x0cb\x85c\u2028d", LineColumn(1, 7), "a\x0cb\x85c\u2028"),  # none of them ends a line
        ("a<>b", Marker("<>"), "a"),
    ],
)
def test_the_cursor_is_where_it_was_said_to_be(text: str, place: Place, prefix: str) -> None:
    around = cut(text, place)
    rest = text.replace(place.text, "") if isinstance(place, Marker) else text
    assert around == Around(prefix, rest[len(prefix) :])


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("ab\n", LineColumn(3, 1), "past the end: line 3 of 2"),
        ("ab\n", LineColumn(1, 4), "past the end of line 1: column 4"),
        ("ab\r\n", LineColumn(1, 4), "past the end of line 1: column 4"),
        ("", LineColumn(1, 2), "past the end of line 1"),
        ("ab", LineColumn(0, 1), "count from 1"),
        ("ab", ByteOffset(3), "past the end: offset 3 of 2 bytes"),
        ("ab", ByteOffset(-1), "past the end"),
        ("é", ByteOffset(1), "inside a character"),
        ("a\r\nb", ByteOffset(2), "inside a line end"),
        ("ab", Marker("<>"), "is not in the file"),
        ("<>a<>", Marker("<>"), "more than once"),
        ("aaa", Marker("aa"), "more than once"),
        ("ab", Marker(""), "empty"),
    ],
)
def test_a_place_that_does_not_exist_is_refused_in_one_line(
    text: str, place: Place, message: str
) -> None:
    with pytest.raises(InputError, match=message) as error:
        cut(text, place)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"abc\xff", "not valid UTF-8: byte 0xff at offset 3"),
        (b"\xed\xa0\x80", "not valid UTF-8"),  # a surrogate
        (b"\x7fELF\0\0", "binary"),
        ("x".encode("utf-16"), "not valid UTF-8"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        decode_text(data)
    assert "\n" not in str(error.value)


@given(st.text(alphabet="aé😀\n\r\t\x0c\u2028", max_size=30))
def test_every_line_and_column_that_exists_is_found_and_none_else(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found = []
    for line, content in enumerate(lines, start=1):
        for column in range(1, len(content) + 2):
            found.append(len(cut(text, LineColumn(line, column)).prefix))
        with pytest.raises(InputError):
            cut(text, LineColumn(line, len(content) + 2))
    with pytest.raises(InputError):
        cut(text, LineColumn(len(lines) + 1, 1))
    inside = {i for i in range(1, len(text)) if text[i - 1 : i + 1] == "\r\n"}
    assert found == [i for i in range(len(text) + 1) if i not in inside]


@given(st.text(alphabet="aé😀\n", max_size=20), st.data())
def test_bytes_and_characters_agree(text: str, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(text)))
    offset = len(text[:index].encode())
    assert cut(text, ByteOffset(offset)) == Around(text[:index], text[index:])
