"""LSP columns, counted in the units that the client and we agreed on.

Inside, keyturn counts code points. A column past the end of a line means its end, and one inside
a character (half a surrogate pair, a byte of a longer sequence) means the character's start: the
specification asks for the first and leaves the second open.
"""

from typing import Literal, cast

Encoding = Literal["utf-8", "utf-16", "utf-32"]
ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")
DEFAULT_ENCODING: Encoding = "utf-16"  # what a client that offers none speaks


def to_index(line: str, units: int, encoding: Encoding) -> int:
    """Code points of `line` (without its terminator) that lie before column `units`."""
    if encoding == "utf-32" or line.isascii():
        return min(units, len(line))
    codec, width = _codec(encoding)
    return len(line.encode(codec)[: units * width].decode(codec, "ignore"))


def to_units(line: str, index: int, encoding: Encoding) -> int:
    """The column of the character at `index` code points into `line`."""
    if encoding == "utf-32" or line.isascii():
        return min(index, len(line))
    codec, width = _codec(encoding)
    return len(line[:index].encode(codec)) // width


def choose(offered: list[str] | None) -> Encoding:
    """The client's first encoding that we know; utf-16, which all clients speak, otherwise."""
    for name in offered or ():
        if name in ENCODINGS:
            return cast(Encoding, name)
    return DEFAULT_ENCODING


def whole_characters(text: str) -> str:
    """`text` with surrogates joined where they pair, and U+FFFD in place of those that don't.

    JSON can carry half a pair, but nothing downstream (UTF-8, tokenizers) can. The replacement is
    as long as what it replaces in all three encodings, so no position moves.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _codec(encoding: Encoding) -> tuple[str, int]:
    return ("utf-8", 1) if encoding == "utf-8" else ("utf-16-le", 2)
