"""The text right of the cursor: a completion may end only where it still parses.

The suffix may be broken in itself, and then no completion would ever do. So at the first refusal
the suffix is tried with short texts at the cursor instead of the completion: opened brackets, a
word, half a statement. Where none of them gets past a place, and the completion doesn't either,
the suffix is to blame and trusted only up to there.

What turns the rest of the cursor's line into a comment parses, but nobody means it.
"""

import re
from collections.abc import Iterator
from itertools import product

from .oracle import State

LINE = re.compile(r"[^\n]*\n|[^\n]+")
LINES = 40
WORDS = ("", "x", "1", "1, ", "x, ", '"x": ', '"x": 1, ', "x: ", "x.", "x if x", "x ? x")
OPENED = ("", *("".join(p) for n in (1, 2, 3) for p in product("([", repeat=n)), "{", "{{", "({")
AROUND_OPENED = (("", ""), ("", "x"), ("x = ", ""), ("x = ", "x"))
CLAUSES = (
    "if x", "if (x", "if x:\n{}    x", "try:\n{}    x", "\n{}    x", "for x", "for (x; x", "x\n{}"
)  # fmt: skip
VALUES = ("", "x", "1", "x = x")
CLOSERS, MOST_CLOSERS = ")]}", 8
QUOTES = "\"'`"
SENSELESS = b")]}\x01"  # refused outside of comments and strings, in most languages


class RightContext:
    """Judges where a completion may end. One per request; learns which suffix lines to trust."""

    def __init__(self, start: State, right: str, lines: int = LINES, indent: str = ""):
        """`start` is the state at the cursor, `right` the whole text right of it, of which so many
        `lines` after the cursor's are read; `indent` is what the cursor's line begins with."""
        pieces = LINE.findall(right)
        self._start = start
        self._indent = indent
        self._whole = len(pieces) <= lines + 1
        self._pieces = tuple(pieces[: lines + 1])
        self._passable = 0  # as far as anything is known to get
        self._tried = False
        self.trusted = len(self._pieces) + self._whole  # pieces, and one for the end of the file

    @property
    def relaxed(self) -> bool:
        """Whether less than all of the suffix is trusted."""
        return self.trusted < len(self._pieces) + self._whole

    def fits(self, state: State) -> bool:
        """Whether the suffix can be read from `state` as far as it is trusted."""
        if self._comments_out(state):
            return False
        finish = self._whole and self.trusted > len(self._pieces)
        reached = state.reach(self._pieces[: self.trusted], finish)
        self._passable = max(self._passable, reached)
        if self._passable < self.trusted and not self._tried:
            self._try_fillers()
            self.trusted = max(reached, self._passable)
        return reached >= self.trusted

    def _comments_out(self, state: State) -> bool:
        """Whether the rest of the cursor's line would belong to a comment that the completion
        begins: whatever stands there, it is read, but not on the next line."""
        rest = self._pieces[0].rstrip() if self._pieces else ""
        if not rest or state.feed(SENSELESS) is None or self._start.feed(SENSELESS) is not None:
            return False
        for character in rest + "\n":
            following = state.feed(character.encode("utf-8", "replace"))
            if following is None:
                return False
            if following.feed(SENSELESS) is None:
                return character == "\n"
            state = following
        return False

    # region Whom to blame

    def _try_fillers(self) -> None:
        """Find out how far the suffix can be read at all."""
        self._tried = True
        for state, braces in self._fillers():
            # A brace may balance one that is wrong anywhere below: it speaks for its line only.
            pieces = self._pieces[:1] if braces else self._pieces
            finish = self._whole and not braces
            self._passable = max(self._passable, state.reach(pieces, finish))
            if self._passable >= self.trusted:
                return

    def _fillers(self) -> Iterator[tuple[State, bool]]:
        """Short texts that may stand at the cursor: the states after them, and whether they open
        a brace."""
        first = self._pieces[0] if self._pieces else ""
        quotes = [quote for quote in QUOTES if first.count(quote) % 2]  # which the line closes
        openers = (a + opener + b for opener in (*OPENED, *quotes) for a, b in AROUND_OPENED)
        clauses = (clause.format(self._indent) for clause in CLAUSES)
        for filler in (*WORDS, *openers, *clauses):
            state = self._start.feed(filler.encode())
            if state is not None:
                yield state, "{" in filler
        for value in VALUES:
            state = self._start.feed(value.encode())
            for _ in range(MOST_CLOSERS):
                if state is None:
                    break
                ended = state.feed(b";")
                if ended is not None:
                    yield ended, False
                closed = (state.feed(closer.encode()) for closer in CLOSERS)
                state = next((after for after in closed if after is not None), None)
                if state is not None:
                    yield state, False

    # endregion
