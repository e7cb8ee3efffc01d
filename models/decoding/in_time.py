"""A stop rule with a clock: who types does not wait for a whole block, only for a line of it that
does not open another.
"""

import copy
import time
from collections.abc import Callable

from .stops import LEAVES_OPEN, StopRule


class InTime:
    """Ends as `rule` does, and once the time is over with a line that leaves nothing open."""

    def __init__(
        self, rule: StopRule, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """The time begins now."""
        self._rule = rule
        self._line = ""
        self._clock = clock
        self._until = clock() + seconds

    def feed(self, text: str) -> tuple[str, bool]:
        kept, over = self._rule.feed(text)
        if over or self._clock() < self._until:
            self._line = (self._line + kept).rpartition("\n")[2]
            return kept, over
        ended = ""
        for line in kept.splitlines(keepends=True):
            whole = line.endswith("\n")
            self._line += line.rstrip("\n")
            if whole and not LEAVES_OPEN.search(self._line):
                return ended + line.rstrip("\n"), True
            ended += line
            self._line = "" if whole else self._line
        return kept, False

    def __copy__(self) -> "InTime":
        other = InTime.__new__(InTime)
        other.__dict__.update(self.__dict__, _rule=copy.copy(self._rule))
        return other
