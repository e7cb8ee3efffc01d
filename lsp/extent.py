"""The extent of a suggestion: a line or a block, by the text around the cursor."""

from .options import Multiline

OPENERS = (":", "{", "(", "[", "=>", "->", "=", "do", "then", "begin", "else", "try")
CLOSERS = " \t)]}>\"'`;,:"


def wants_block(text: str, offset: int, multiline: Multiline = "auto") -> bool:
    """True where several lines may be suggested.

    In the middle of a line only that line is: code that stands behind the cursor other than
    closing punctuation would be torn from it. A blank line and the end of a line that opens a
    block ask for a block.
    """
    before = text[_line_start(text, offset) : offset]
    after = text[offset : _line_stop(text, offset)]
    if after.strip(CLOSERS):
        return False
    if multiline != "auto":
        return multiline == "always"
    stripped = before.strip()
    return not stripped or stripped.endswith(OPENERS)


def fits_word(text: str, offset: int, suggestion: str) -> bool:
    """False for what would tear a word apart: between two characters of a word, only what goes on
    with the word is a suggestion."""
    around = text[max(0, offset - 1) : offset + 1]
    inside = len(around) == 2 and all(_of_word(character) for character in around)
    return not inside or _of_word(suggestion[0])


def _of_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _line_stop(text: str, offset: int) -> int:
    stop = text.find("\n", offset)
    stop = len(text) if stop < 0 else stop
    return stop - 1 if stop > offset and text[stop - 1] == "\r" else stop
