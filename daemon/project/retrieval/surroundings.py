"""The surroundings of a cursor: which names stand how near, and which calls are being written.

Read from the text alone, some lines around the cursor, in one pass: it is done for every question.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...workspace.language import COMMENTS
from ..words import KEYWORDS, NO_CALLEE

LINES_AROUND = 60  # on both sides of the cursor's
SAME_LINE = 3  # how far away the cursor's own line counts: what is typed there moves little
CALL_CHARACTERS = 2000  # before the cursor, in which a call's bracket may stand
MOST_CALLS = 2  # innermost first
MOST_LINE = 1000  # characters; what has longer ones was written by no hand
OPENERS, CLOSERS, QUOTES = "([{", ")]}", "\"'`"
TOKEN = re.compile(r"([^\W\d]\w*)|(\.|::|->|\?\.)|\S")
CALLEE = re.compile(
    r"((?:[^\W\d]\w*(?:\.|::|->|\?\.))*)([^\W\d]\w*)\s*(?:(?:::)?<[^()]*>)?(?:\[[^()]*\])?!?\s*$"
)
LITERAL = re.compile(r"(?<![.\w])([A-Z]\w*) ?$")
DECLARES = re.compile(r"\b(?:def|function|fn|func|fun|class|sub)\s*(?:\([^()]*\)\s*)?$")


@dataclass(frozen=True, slots=True)
class Call:
    """A call whose bracket is open: `receiver` is what its method is called on, `?` if that is no
    name."""

    name: str
    receiver: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Distances are in lines, to the nearest use; the identifier at the cursor is no use."""

    distances: dict[str, int]
    attributes: dict[str, dict[str, int]]  # of a receiver as written, "?" for no name
    calls: tuple[Call, ...]


def surroundings(
    text: str, cursor: int, language: str, imports: Collection[int] = ()
) -> Surroundings:
    """Of a character offset; `imports` are lines where imports begin, whose names are no uses."""
    at = text.count("\n", 0, cursor)
    distances: dict[str, int] = {}
    attributes: dict[str, dict[str, int]] = {}
    for number, start, line in _lines_around(text, cursor, at, language, imports):
        away = abs(number - at) or SAME_LINE
        receiver, joined = "", False
        for match in TOKEN.finditer(line):
            name = match[1]
            if name is None:
                joined = match[2] is not None
                receiver = receiver if joined else "?" if match[0] in CLOSERS else ""
                continue
            here = start + match.start() <= cursor <= start + match.end()
            if not here:
                if not joined and name not in KEYWORDS:
                    distances[name] = min(away, distances.get(name, away))
                elif joined and receiver:
                    found = attributes.setdefault(receiver, {})
                    found[name] = min(away, found.get(name, away))
            receiver = f"{receiver}.{name}" if joined and receiver else name
            joined = False
    return Surroundings(distances, attributes, tuple(_calls(text, cursor)))


def type_of(receiver: str, text: str, cursor: int) -> str:
    """The name of the type that a variable is declared or made with before the cursor, as far as
    that can be read off one line; "" if it cannot."""
    before = text[max(0, cursor - 20_000) : cursor]
    for _ in range(3):  # self.x = x; x: Type
        name = re.escape(receiver)
        found = re.findall(
            rf"(?<![\w.]){name}\s*(?::=|[:=])\s*(?:[&*]|\b(?:mut|new|await|struct|dyn)\s+)*"
            rf"([^\W\d]\w*(?:(?:\.|::)\w+)*)"
            rf"|\b([A-Z]\w*)(?:<[^<>]*>)?[\s*&]+{name}\s*[=;,)]",
            before,
        )
        if not found:
            return ""
        type_name = next(filter(None, found[-1]))
        if type_name[0].isupper() or "." in type_name or "::" in type_name:
            return type_name
        receiver = type_name
    return ""


def _lines_around(
    text: str, cursor: int, at: int, language: str, imports: Collection[int]
) -> Iterator[tuple[int, int, str]]:
    """Number, offset and text of the lines around that are neither comments nor imports."""
    start = cursor
    first = max(0, at - LINES_AROUND)
    for _ in range(at - first + 1):
        start = text.rfind("\n", 0, start)
    start += 1
    comments = COMMENTS.get(language, ())
    open_brackets = 0  # of an import over several lines
    for number in range(first, at + LINES_AROUND + 1):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start : min(end, start + MOST_LINE)]
        if number in imports or open_brackets > 0:
            open_brackets += sum(map(line.count, OPENERS)) - sum(map(line.count, CLOSERS))
        elif not line.lstrip().startswith(comments or ("\0",)):
            yield number, start, line
        start = end + 1
        if start > len(text):
            return


def _calls(text: str, cursor: int) -> Iterator[Call]:
    """Calls whose brackets are open at the cursor, the innermost first."""
    depth = found = 0
    at = cursor
    last = max(0, cursor - CALL_CHARACTERS)
    while at > last and found < MOST_CALLS:
        at -= 1
        letter = text[at]
        if letter in QUOTES:
            line = text.rfind("\n", 0, at) + 1
            other = text.rfind(letter, line, at)
            at = other if other >= 0 else at
        elif letter in CLOSERS:
            depth += 1
        elif letter in OPENERS:
            if depth:
                depth -= 1
            elif letter == "(":
                if call := _call(text, at):
                    found += 1
                    yield call
            elif letter == "{":
                if literal := LITERAL.search(text, max(last, at - 200), at):
                    found += 1
                    yield Call(literal[1])  # if it is none but a block's, nothing has its name
                if text[last:at].rstrip()[-1:] not in ("(", ",", ":", "[", "="):
                    return  # a block: what stands around it is not being called here


def _call(text: str, bracket: int) -> Call | None:
    before = text[max(0, bracket - 200) : bracket]
    match = CALLEE.search(before)
    if match is None or match[2] in NO_CALLEE or DECLARES.search(before, 0, match.start()):
        return None
    receiver = re.sub(r"::|->|\?\.", ".", match[1]).rstrip(".")
    if not receiver and before[: match.start()].rstrip()[-1:] == ".":
        receiver = "?"
    return Call(match[2], receiver)
