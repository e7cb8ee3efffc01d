"""Short texts that may stand at the cursor, to find out whether the suffix can be read at all.

They are made for the suffix: brackets and quotes that it closes are opened, blocks that its lines
stand in are begun. Words that go before the rest of the cursor's line are tried as they are, and on
a line of their own, in every block that is open there or that a line below wants.

Where a filler with a brace fits, the text below it may still be wrong: the brace may only balance
a faulty one far away. Such a filler tells about the cursor's line, and not about what follows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from .oracle import State

WORDS = (
    "", "x", "1", "x ", "1, ", "x, ", '"x": ', '"x": 1', '"x": 1, ', "x: ", "x.", "x = ", "x if x",
    "x ? x", "x in x", "x[x", "x[", "lambda x",
)  # fmt: skip
OPENED = ("", *("".join(p) for n in (1, 2, 3) for p in product("([", repeat=n)), "{", "{{", "({")
AROUND_OPENED = (
    ("", ""), ("", "x"), ("", "x "), ("x = ", ""), ("x = ", "x"), ("if ", ""), ("if x", ""),
    ("for x in ", ""), ("for x in x", ""), ("def x", ""), ("class x", ""),
)  # fmt: skip
CLAUSES = (
    "if x", "if ", "if (x", "while x", "for x", "for x in x", "for (x; x", "def x", "class x",
    "with x", "from x", "import x", "return ", "except x: x",
)  # fmt: skip
VALUES = ("", "x", "1", "x = x", "x in x")
CLOSERS, MOST_CLOSERS = ")]}", 8
OPENER_OF = {")": "(", "]": "[", "}": "{"}
QUOTES = "\"'`"
TRIPLE_QUOTES = ('"""', "'''")
NONSENSE = b")]}\x01"  # refused outside of comments and strings, in most languages
PROBE = "x;"  # begins a line, and is decided
MOST_COLUMNS = 48
MOST_JOINTS = 6  # ways to the rest of the line that are tried in every block
TAB_COLUMNS = 8
CLAUSE, EXCEPT = re.compile(r"(?:else|elif|except|finally)\b"), re.compile(r"(?:except|finally)\b")
TEXT_OR_BRACKET = re.compile(r'"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])*'|[()\[\]{}]")


class Fillers:
    """Of one place: `start` is the state at the cursor, `before` the cursor's line up to it, and
    the suffix comes in `pieces`, the rest of that line and the lines below."""

    def __init__(self, start: State, before: str, pieces: tuple[str, ...], whole: bool):
        """`whole`: the file ends behind the pieces."""
        self._start = start
        self._before = before
        self._pieces = pieces
        self._whole = whole
        self._rest = pieces[0] if pieces else ""
        self._below = [line for line in pieces[1:] if line.strip()]

    def reaches(self) -> Iterator[int]:
        """How far each text gets, as `State.reach` counts."""
        for joint in self._joints():
            yield self._reach(self._start, joint)
        for value in self._finished():
            yield self._reach(value, "")
        if not self._before.strip() and self._rest.strip():
            for lines in self._lines_above():
                yield self._reach(self._start, lines)
        joints = ["", "x"]
        for at, ground in enumerate(self._grounds()):
            if at == 0 and self._rest.strip():
                joints = [j for j in self._joints() if self._reach(ground, j)][:MOST_JOINTS]
            for joint in joints:
                yield self._reach(ground, joint)

    def _reach(self, state: State, text: str) -> int:
        after = state.feed(text.encode()) if text else state
        if after is None:
            return 0
        braces = "{" in text
        return after.reach(self._pieces[:1] if braces else self._pieces, self._whole and not braces)

    # region on the cursor's line

    def _joints(self) -> Iterator[str]:
        """What may stand right before the rest of the line, the most ordinary first."""
        wanted = dict.fromkeys(self._wanted())
        quotes = [quote for quote in QUOTES if self._rest.count(quote) % 2]
        quotes += [q for q in TRIPLE_QUOTES if "".join(self._pieces).count(q) % 2]
        openers = [a + opener + b for opener in (*wanted, *quotes) for a, b in AROUND_OPENED]
        others = (opener + after for opener in OPENED for after in ("", "x"))
        yield from dict.fromkeys((*WORDS, *openers, *CLAUSES, *others))
        if self._before[-1:].isalnum():
            yield from (f" {text}" for text in dict.fromkeys((*WORDS, *openers)) if text.strip())

    def _wanted(self) -> Iterator[str]:
        """The brackets that the suffix closes without opening them: on the line, and below."""
        opened, loose = "", ""
        for piece in self._pieces:
            for token in TEXT_OR_BRACKET.findall(piece):
                if token in OPENER_OF.values():
                    opened += token
                elif token in OPENER_OF and opened:
                    opened = opened[:-1]
                elif token in OPENER_OF:
                    loose = OPENER_OF[token] + loose
            if loose and "{" not in loose:
                yield loose

    def _finished(self) -> Iterator[State]:
        """The states in which what the cursor stands in is closed, step by step."""
        space = " " if self._before[-1:].isalnum() else ""
        for value in dict.fromkeys((*VALUES, *(space + value for value in VALUES))):
            state = self._start.feed(value.encode())
            for _ in range(MOST_CLOSERS):
                if state is None:
                    break
                ends = (state.feed(mark) for mark in (b";", b":"))
                yield from (after for after in (state, *ends) if after is not None)
                state = self._closed(state)

    def _closed(self, state: State) -> State | None:
        """The state after one closing bracket or quote."""
        inside = _inside(state)
        for closer in (*TRIPLE_QUOTES, *QUOTES) if inside else CLOSERS:
            after = state.feed(closer.encode())
            if after is not None and not (inside and _inside(after)):
                return after
        return None

    # endregion
    # region on lines of their own

    def _lines_above(self) -> Iterator[str]:
        """Whole lines that may stand above the cursor's, of which nothing is written yet."""
        columns = _dedents([self._before + self._rest, *self._below])
        for base in self._bases(self._start, columns) or ():
            for text in _blocks(base, columns):
                if text.endswith(" "):
                    yield self._pad(base) + text.rstrip(" ") + self._before
                yield f"{self._pad(base)}{text}x\n{self._before}"

    def _grounds(self) -> Iterator[State]:
        """Fresh lines: in each open block, then in blocks begun there for the lines below."""
        columns = _dedents(self._below)
        for state in self._ended():
            bases = self._bases(state, columns)
            if bases is None:
                return
            texts = [(base, text) for base in bases for text in _blocks(base, columns)]
            texts.sort(key=lambda each: len(each[1]))
            grounds = (state.feed((self._pad(base) + text).encode()) for base, text in texts)
            yield from (ground for ground in grounds if ground is not None)
            if bases:
                return

    def _ended(self) -> Iterator[State]:
        """The states behind which a fresh line may begin."""
        if self._before.strip():
            yield from self._finished()
        else:
            yield self._start

    def _bases(self, state: State, columns: Iterable[int]) -> list[int] | None:
        """The columns at which a fresh line may stand after `state`; of a run only the first, and
        what is in `columns`. None if nothing depends on columns here."""
        possible = [
            column
            for column in range(MOST_COLUMNS)
            if state.feed((self._pad(column) + PROBE).encode()) is not None
        ]
        if len(possible) == MOST_COLUMNS:
            return None
        return [c for c in possible if c - 1 not in possible or c in columns]

    def _pad(self, column: int) -> str:
        """What a fresh line at `column` begins with, from the cursor on."""
        here = _column(self._before)
        if self._before.strip() or column < here:
            return "\n" + " " * column
        return " " * (column - here)

    # endregion


def _blocks(base: int, columns: Mapping[int, str]) -> Iterator[str]:
    """What begins the blocks that lines at `columns` stand in, outermost first, from a line at
    `base` on: none of them, the first, the first two, ..."""
    text, column = "", base
    for deeper in (None, *(c for c in sorted(columns) if c > base)):
        if deeper is not None:
            text += _head(columns.get(column, "")) + "\n" + " " * deeper
            column = deeper
        yield text
        line = columns.get(column, "")
        if CLAUSE.match(line):
            yield text + _head(line) + "\n" + " " * (column + 1)


def _head(line: str) -> str:
    """What begins a block that may go on with `line`."""
    return "try:" if EXCEPT.match(line) else "if x:"


def _inside(state: State) -> bool:
    """Whether a string or a comment is open."""
    return state.feed(NONSENSE) is not None


def _dedents(lines: list[str]) -> dict[int, str]:
    """The columns of the lines that stand further left than all before them, and their code."""
    columns: dict[int, str] = {}
    for line in lines:
        column = _column(line)
        if not columns or column < min(columns):
            columns[column] = line.strip()
    return columns


def _column(line: str) -> int:
    """Of the indentation, counted as Python does."""
    return len(line[: len(line) - len(line.lstrip())].expandtabs(TAB_COLUMNS))
