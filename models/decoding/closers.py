"""Closers that a text shares with the rest of the cursor's line: brackets, strings, tags.

Whatever the language; one place of each kind at most, for `trim` to choose among.
"""

import re
from collections.abc import Iterator

from .brackets import nesting

BRACKETS, QUOTES = ")]}", "\"'`"
MARKS = {"}}": "{{", "%}": "{%", "?>": "<?", "%>": "<%", "-->": "<!--", "*/": "/*", "/>": "<"}
TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][\w.:-]*)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(?P<void>/?)>"
)
CLOSING_TAG = re.compile(r"</(?P<name>[A-Za-z][\w.:-]*)")
ANGLE = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[-=]>|<[-=]|>=|[<>]")


def closed(line: str, text: str, rest: str) -> Iterator[int]:
    """Where to cut the `text` between `line` and `rest`."""
    rest = rest.lstrip()
    if rest[:1] and rest[0] in BRACKETS:
        yield _bracket(text, rest[0])
    if rest[:1] and rest[0] in QUOTES:
        yield _quote(line, text, rest[0])
    for mark, opener in MARKS.items():
        at = text.find(mark) if rest.startswith(mark) else -1
        if at >= 0 and opener not in text[:at]:
            yield at
    tag = CLOSING_TAG.match(rest)
    if tag is not None:
        yield _tag(text, tag["name"])
    if rest.startswith((">", "/>")) and _angles(line) > 0:
        yield _angle(text)


def _bracket(text: str, closer: str) -> int:
    for at, character in enumerate(text):
        if character == closer and nesting(text[: at + 1]).unmatched:
            return at
    return len(text)


def _quote(line: str, text: str, quote: str) -> int:
    """The first of an odd number, where the cursor is inside a string of that kind."""
    inside = _count(line, quote) % 2 and _count(text, quote) % 2
    return re.split(rf"(?<!\\){quote}", text, maxsplit=1)[0].__len__() if inside else len(text)


def _count(text: str, quote: str) -> int:
    return len(re.findall(rf"(?<!\\){quote}", text))


def _tag(text: str, name: str) -> int:
    """The first end tag of that name that `text` has no start tag for."""
    depth = 0
    for match in TAG.finditer(text):
        if match["name"] != name or match["void"]:
            continue
        depth += -1 if match["close"] else 1
        if depth < 0:
            return match.start()
    return len(text)


def _angles(line: str) -> int:
    """How many angle brackets are open."""
    signs = [match.group() for match in ANGLE.finditer(line)]
    return signs.count("<") - signs.count(">")


def _angle(text: str) -> int:
    depth = 0
    for match in ANGLE.finditer(text):
        depth += {"<": 1, ">": -1}.get(match.group(), 0)
        if depth < 0:
            return match.start()
    return len(text)
