"""The pace of background work: it rests while somebody types, and ends when it is told to."""

import threading
import time

REST_SECONDS = 1.0  # after a key, unless the work is told to go on before


class Closing(Exception):
    """The process is to end."""


class Pace:
    """Shared by the thread that works and the one that hears of keys."""

    def __init__(self, rest_seconds: float = REST_SECONDS) -> None:
        self._rest_seconds = rest_seconds
        self._condition = threading.Condition()
        self._resting_until = 0.0
        self._closing = False

    def busy(self) -> None:
        """A key was pressed: rest for a while."""
        with self._condition:
            self._resting_until = time.monotonic() + self._rest_seconds

    def idle(self) -> None:
        """Go on."""
        with self._condition:
            self._resting_until = 0.0
            self._condition.notify_all()

    def close(self) -> None:
        with self._condition:
            self._closing = True
            self._condition.notify_all()

    def step(self) -> None:
        """Called by the work as often as it can: it returns when there is time for more. Raises
        `Closing`."""
        if not self._resting_until and not self._closing:
            return
        with self._condition:
            while not self._closing and (left := self._resting_until - time.monotonic()) > 0:
                self._condition.wait(left)
            if self._closing:
                raise Closing
            self._resting_until = 0.0
