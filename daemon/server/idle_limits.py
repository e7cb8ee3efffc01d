"""Idle limits: when a daemon that nobody uses gives memory back, and when it goes."""

from dataclasses import dataclass
from enum import Enum, auto

LONGEST_TICK_SECONDS = 5.0


class Due(Enum):
    NOTHING = auto()
    FREE = auto()  # the model's memory
    EXIT = auto()


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """When to free the model, counted from the last completion, and when to exit, counted from
    the last client's leaving. Zero means never."""

    free_seconds: float = 15 * 60.0
    exit_seconds: float = 60 * 60.0

    def due(self, unused_seconds: float, alone_seconds: float | None, loaded: bool) -> Due:
        """`alone_seconds` is None while a client is connected."""
        if self.exit_seconds and alone_seconds is not None and alone_seconds > self.exit_seconds:
            return Due.EXIT
        if self.free_seconds and loaded and unused_seconds > self.free_seconds:
            return Due.FREE
        return Due.NOTHING

    def tick_seconds(self) -> float:
        """How often to look."""
        limits = [seconds for seconds in (self.free_seconds, self.exit_seconds) if seconds]
        return min([LONGEST_TICK_SECONDS, *(seconds / 4 for seconds in limits)])
