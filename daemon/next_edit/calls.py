"""Calls, and the heads of functions, as a name and what stands between its brackets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .syntax.lexemes import CLOSERS, Lexeme, lexemes
from .syntax.source import Source

MOST_CHARACTERS = 1_000  # of one call's arguments
MOST_CALLS = 200
NAMED = re.compile(r"\s*([^\W\d]\w*)\s*(?::[^=]*)?=(?!=)")
FIRST_NAME = re.compile(r"[*&.\s]*(?:(?:final|const|mut|var|val|ref|out|in|this)\s+)*([$\w]+)")


@dataclass(frozen=True, slots=True)
class Argument:
    """One of a call, or a parameter, without the blanks around it."""

    start: int
    stop: int
    text: str

    @property
    def keyword(self) -> str:
        """What names it, or the parameter that has a default."""
        found = NAMED.match(self.text)
        return found.group(1) if found else ""

    @property
    def parameter(self) -> str:
        """Its name, as that of a parameter, where that comes before its type."""
        found = FIRST_NAME.match(self.text)
        return found.group(1) if found else self.text


@dataclass(frozen=True, slots=True)
class Call:
    """`name(…)` in `text`; `opening` and `closing` are the characters of the brackets."""

    text: str = field(repr=False)
    name: Lexeme
    opening: int
    closing: int
    arguments: tuple[Argument, ...]

    @property
    def is_by_place(self) -> bool:
        """Whether nothing is passed by name, and nothing that is several."""
        return not any(each.keyword or each.text.startswith("*") for each in self.arguments)

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(each.text for each in self.arguments)


def call_around(text: str, row: tuple[Lexeme, ...], index: int) -> Call | None:
    """The innermost call in whose brackets the lexeme with this index, or the gap before it,
    stands; `row` are lexemes of `text`."""
    depth = 0
    for at in range(min(index, len(row)) - 1, 0, -1):
        sign = row[at].text
        if sign in ")]}":
            depth += 1
        elif sign in CLOSERS and depth:
            depth -= 1
        elif sign in CLOSERS:
            if sign != "(" or row[at - 1].kind != "name":
                return None
            return call_at(text, row[at - 1])
    return None


def call_at(text: str, name: Lexeme) -> Call | None:
    """The call whose name this is; None where no bracket follows, or none closes it."""
    row = lexemes(text, name.stop, min(len(text), name.stop + MOST_CHARACTERS))
    first = next(row, None)
    if first is None or first.text != "(":
        return None
    open_, arguments, start = [")"], list[Argument](), first.stop
    for each in row:
        if each.text in CLOSERS:
            open_.append(CLOSERS[each.text])
        elif each.text in ")]}":
            if each.text != open_.pop():
                return None
            if not open_:
                arguments += _argument(text, start, each.start)
                return Call(text, name, first.start, each.start, tuple(arguments))
        elif each.text == "," and len(open_) == 1:
            arguments += _argument(text, start, each.start)
            start = each.stop
    return None


def calls(source: Source, name: str) -> Iterator[Call]:
    """Those in a text by the last part of what is called, heads of functions among them."""
    found = re.finditer(rf"(?<![\w$]){re.escape(name)}(?=\s*\()", source.text)
    for count, match in enumerate(found):
        if count == MOST_CALLS:
            return
        call = call_at(source.text, Lexeme("name", name, match.start()))
        if call is not None and source.is_code(match.start()):
            yield call


def _argument(text: str, start: int, stop: int) -> Iterator[Argument]:
    part = text[start:stop]
    stripped = part.strip()
    if stripped:
        start += len(part) - len(part.lstrip())
        yield Argument(start, start + len(stripped), stripped)
