"""The text right of the cursor: a completion may end only where it still parses.

The suffix may be broken in itself, and then no completion would ever do. So at the first refusal
the suffix is tried with short texts at the cursor instead of the completion (`fillers`). Where none
of them gets past a place, and the completion doesn't either, the suffix is to blame and trusted
only up to there.

What turns the rest of the cursor's line into a comment parses, but nobody means it.
"""

import re

from .fillers import NONSENSE, Fillers
from .oracle import State

LINE = re.compile(r"[^\n]*\n|[^\n]+")
LINES = 40


class RightContext:
    """Judges where a completion may end. One per request; learns which suffix lines to trust."""

    def __init__(self, start: State, right: str, lines: int = LINES, before: str = ""):
        """`start` is the state at the cursor, `right` the whole text right of it, of which so many
        `lines` after the cursor's are read; `before` is the cursor's line up to it."""
        pieces = LINE.findall(right)
        self._start = start
        self._before = before
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
        if not rest or state.feed(NONSENSE) is None or self._start.feed(NONSENSE) is not None:
            return False
        for character in rest + "\n":
            following = state.feed(character.encode("utf-8", "replace"))
            if following is None:
                return False
            if following.feed(NONSENSE) is None:
                return character == "\n"
            state = following
        return False

    def _try_fillers(self) -> None:
        """Find out how far the suffix can be read at all."""
        self._tried = True
        for reached in Fillers(self._start, self._before, self._pieces, self._whole).reaches():
            self._passable = max(self._passable, reached)
            if self._passable >= self.trusted:
                return
