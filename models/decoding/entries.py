"""Made-up entries of a list: names, constants, strings, one a line, whose names stand nowhere in
the file.

The model cannot know them, so that a reader checks each: one is offered, and the next when it is
taken. What code says with names of the
file (`self.a = a`), statements and calls are no such entries.
"""

import re
from collections.abc import Sequence

IN_A_ROW = 3  # with those that the file has above
QUOTED = r"(?:\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`)"
LITERAL = rf"(?:{QUOTED}|-?[\d.]\w*|true|false|null|nil|None|True|False|iota)"
BARE = r"(?=\S*[^\W\d_])[\w./*@~!?+-]+(?:(?:==|>=|~=|\^)[\w.*]+)?"  # a name, a path, a pattern
ENTRY = re.compile(
    rf"""\s*(?:
        (?:[-*+]\s)?(?P<item>{QUOTED}|{BARE})                    # RED   "red"   *.pyc   - redis
      | (?P<key>{QUOTED})\s*(?::|=>|=)\s*{LITERAL}               # "red": "#ff0000"
      | (?P<field>[\w-]+)\s*[:=]\s*{LITERAL}(?=\s*,)             # red: "#ff0000",
      | (?:[\w<>]+\s+){{0,4}}(?P<constant>[A-Z]\w*)\s*=\s*{LITERAL}   # static final int RED = 1;
      | \#\s*define\s+(?P<macro>\w+)\s+{LITERAL}
    )\s*+[,;]?\s*+""",
    re.VERBOSE,
)
POINT = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+(?P<point>\S.*)")  # of a list in prose
PROSE = frozenset({"markdown", "plaintext"})
NO_LAST_COMMA = frozenset({"json", "sql"})
CLOSERS = (")", "]", "}")
WORDS = re.compile(r"[\"'`]")


def asked_for(
    lines: Sequence[str], above: Sequence[str], around: str, language: str, whole: bool = True
) -> int:
    """How many of the `lines` to keep so that no second entry in a row is made up; if they are not
    the `whole`, none that could be one of several.

    `above` are lines over the first of them; a name that `around` has is not made up.
    """
    column, row, first = -1, 0, None  # of the entries in a row, and where the made up ones begin
    for number, line in enumerate((*above, *lines), -len(above)):
        name = _name(line, language)
        here = len(line) - len(line.lstrip())
        if name is None or here != column:
            row, first = 0, None
        if name is None:
            continue
        column, row = here, row + 1
        if number < 0 or _stands_in(name, around):
            first = None
            continue
        first = number if first is None else first
        if number > first and row >= IN_A_ROW:
            return first + 1
    return len(lines) if whole or first is None else first


def without_comma(line: str, below: Sequence[str], language: str) -> str:
    """The last entry of a list, for languages in which none may end with a comma."""
    closes = bool(below) and below[0].lstrip().startswith(CLOSERS)
    return line.rstrip(",") if closes and language in NO_LAST_COMMA else line


def _name(line: str, language: str) -> str | None:
    """What an entry is called; None if the line is no entry."""
    found = ENTRY.fullmatch(line) or (POINT.fullmatch(line) if language in PROSE else None)
    if found is None:
        return None
    return WORDS.sub("", next(filter(None, found.groups()), ""))


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None
