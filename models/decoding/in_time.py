"""A stop rule with a clock: who types does not wait for a whole block, only for a line of it."""

import copy
import time
from collections.abc import Callable

from .stops import StopRule


class InTime:
    """Ends as `rule` does, and with its line once the time is over."""

    def __init__(
        self, rule: StopRule, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """The time begins now."""
        self._rule = rule
        self._clock = clock
        self._until = clock() + seconds

    def feed(self, text: str) -> tuple[str, bool]:
        kept, over = self._rule.feed(text)
        line, newline, _ = kept.partition("\n")
        if newline and not over and self._clock() >= self._until:
            return line, True
        return kept, over

    def __copy__(self) -> "InTime":
        other = InTime.__new__(InTime)
        other.__dict__.update(self.__dict__, _rule=copy.copy(self._rule))
        return other
