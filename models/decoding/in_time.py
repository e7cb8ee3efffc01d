"""A stop rule with a clock: who types does not wait for a whole block, only for a line of it that
does not open another, and behind which the code below can follow.
"""

import copy
import time
from collections.abc import Callable

from .stops import LEAVES_OPEN, StopRule


def always(text: str) -> bool:
    """Where nobody knows better."""
    return True


class InTime:
    """Ends as `rule` does, and once the time is over with a line that leaves nothing open."""

    def __init__(
        self,
        rule: StopRule,
        seconds: float,
        fits: Callable[[str], bool] = always,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The time begins now. `fits` is asked about a text that could be the whole completion: one
        that is not lets it go on."""
        self._rule = rule
        self._fits = fits
        self._said = ""  # all that was kept
        self._line = ""
        self._clock = clock
        self._until = clock() + seconds

    def feed(self, text: str) -> tuple[str, bool]:
        kept, over = self._rule.feed(text)
        if over or self._clock() < self._until:
            self._keep(kept)
            return kept, over
        ended = ""
        for line in kept.splitlines(keepends=True):
            code = line.rstrip("\n")
            whole = code != line and not LEAVES_OPEN.search(self._line + code)
            if whole and self._fits(self._said + code):
                return ended + code, True
            ended += line
            self._keep(line)
        return kept, False

    def _keep(self, text: str) -> None:
        self._said += text
        self._line = (self._line + text).rpartition("\n")[2]

    def __copy__(self) -> "InTime":
        other = InTime.__new__(InTime)
        other.__dict__.update(self.__dict__, _rule=copy.copy(self._rule))
        return other
