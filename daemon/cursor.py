"""A cursor as it is given from outside: a file's bytes and a place in, the text on either side out.

Lines end in a line feed, a carriage return and line feed, or a lone carriage return. A byte order
mark is no part of the first line. Nothing else of the file is changed or interpreted.
"""

import re
from dataclasses import dataclass

from ..cache.errors import InputError
from .file_text import BYTE_ORDER_MARK

LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class LineColumn:
    """Both count from 1; columns are characters, and one past the last is the end of the line."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ByteOffset:
    """Bytes of UTF-8 before the cursor."""

    offset: int


@dataclass(frozen=True, slots=True)
class Marker:
    """Text that stands where the cursor is, exactly once, and is no part of the file."""

    text: str


Place = LineColumn | ByteOffset | Marker


@dataclass(frozen=True, slots=True)
class Around:
    """The text before and after the cursor, in characters."""

    prefix: str
    suffix: str


def decode_text(data: bytes) -> str:
    """A file's bytes as text. Raises `InputError` for what is not text in UTF-8."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the file is not valid UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        ) from None
    return checked(text)


def checked(text: str) -> str:
    """`text` itself, if it can be a file's. Raises `InputError`."""
    if (at := text.find("\0")) >= 0:
        raise InputError(f"the file is binary: it has a NUL character at character {at}")
    surrogate = re.search("[\ud800-\udfff]", text)
    if surrogate:
        raise InputError(f"the text has a lone surrogate at character {surrogate.start()}")
    return text


def cut(text: str, place: Place) -> Around:
    """`text` at `place`. Raises `InputError` when there is no such place."""
    match place:
        case LineColumn(line, column):
            return _cut_at(text, _index_of(text, line, column))
        case ByteOffset(offset):
            return _cut_at_byte(text, offset)
        case Marker(marker):
            return _cut_at_marker(text, marker)


def _cut_at(text: str, index: int) -> Around:
    return Around(text[:index], text[index:])


def _index_of(text: str, line: int, column: int) -> int:
    if line < 1 or column < 1:
        raise InputError("line and column count from 1")
    start, lines = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0, 1
    ends = LINE_END.finditer(text)
    end = next(ends, None)
    while lines < line and end:
        start, lines, end = end.end(), lines + 1, next(ends, None)
    if lines < line:
        raise InputError(f"the cursor is past the end: line {line} of {lines}")
    length = (end.start() if end else len(text)) - start
    if column > length + 1:
        raise InputError(
            f"the cursor is past the end of line {line}: column {column}, "
            f"but the last place in it is column {length + 1}"
        )
    return start + column - 1


def _cut_at_byte(text: str, offset: int) -> Around:
    data = text.encode()
    if not 0 <= offset <= len(data):
        raise InputError(f"the cursor is past the end: offset {offset} of {len(data)} bytes")
    try:
        prefix = data[:offset].decode()
    except UnicodeDecodeError:
        raise InputError(f"offset {offset} is inside a character: it counts bytes") from None
    if prefix.endswith("\r") and text.startswith("\n", len(prefix)):
        raise InputError(f"offset {offset} is inside a line end (CR LF)")
    return _cut_at(text, len(prefix))


def _cut_at_marker(text: str, marker: str) -> Around:
    if not marker:
        raise InputError("the cursor marker is empty")
    at = text.find(marker)
    if at < 0 or text.find(marker, at + 1) >= 0:
        found = "is not in the file" if at < 0 else "is in the file more than once"
        raise InputError(f"the cursor marker {marker!r} {found}: it must be there exactly once")
    return Around(text[:at], text[at + len(marker) :])
