"""How much one user may ask of a server, so that others are served: requests at once, and a token
bucket of requests over time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ...cache.errors import KeyturnError
from .settings import Limits


class TooMuch(KeyturnError):
    """A user asks more than their share; again in `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(slots=True)
class Account:
    """One user's requests."""

    left: float  # in the bucket
    filled: float  # when
    at_once: int = 0


class Quota:
    """The accounts of all users."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    @contextmanager
    def spend(self, user: str) -> Iterator[None]:
        """For as long as one request takes. Raises `TooMuch`."""
        now, limits = self._clock(), self._limits
        account = self._accounts.setdefault(user, Account(limits.burst, now))
        earned = (now - account.filled) * limits.per_second
        account.left, account.filled = min(limits.burst, account.left + earned), now
        if account.at_once >= limits.at_once:
            raise TooMuch(f"more than {limits.at_once} requests at once", 1 / limits.per_second)
        if account.left < 1:
            wait = (1 - account.left) / limits.per_second
            raise TooMuch(f"more than {limits.per_second:g} requests a second", wait)
        account.left -= 1
        account.at_once += 1
        try:
            yield
        finally:
            account.at_once -= 1
