"""The text right of the cursor: a completion may end only where it still parses.

The suffix may be broken in itself, and then no completion would ever do. So a refusal counts only
while it is possible that some completion passes: when several different ends were refused at the
same place of the suffix and none ever got past it, the suffix is trusted only up to that place.
"""

import re
from collections import Counter

from .oracle import State

LINE = re.compile(r"[^\n]*\n|[^\n]+")
LINES = 40
PATIENCE = 8  # ends refused at one place before the suffix is blamed


class RightContext:
    """Judges where a completion may end. One per request; learns which suffix lines to trust."""

    def __init__(self, right: str, lines: int = LINES):
        """`right` is the whole text right of the cursor; `lines` after the cursor's are read."""
        pieces = LINE.findall(right)
        self._whole = len(pieces) <= lines + 1
        self._pieces = tuple(pieces[: lines + 1])
        self._passed = False
        self._refused: Counter[int] = Counter()
        self.trusted = len(self._pieces) + self._whole  # pieces, and one for the end of the file
        self.relaxed = False

    def fits(self, state: State) -> bool:
        """Whether the suffix can be read from `state` as far as it is trusted."""
        finish = self._whole and self.trusted > len(self._pieces)
        reached = state.reach(self._pieces[: self.trusted], finish)
        if reached >= self.trusted:
            self._passed = True
            return True
        self._refused[reached] += 1
        if not self._passed and self._refused[reached] >= PATIENCE:
            self.trusted = reached
            self.relaxed = True
            return True
        return False
