"""How much one user may ask of a server, so that others are served: so many requests at once, and
so many in a second (a token bucket). What is more waits for its turn; what would wait long is
refused.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ...cache.errors import KeyturnError
from .settings import Limits

MOST_WAIT_SECONDS = 2.0


class TooMuch(KeyturnError):
    """A user asks more than their share; again in `seconds`."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(slots=True)
class Account:
    """One user's requests."""

    left: float  # in the bucket; below zero: promised to who waits
    filled: float  # when
    at_once: asyncio.Semaphore


class Quota:
    """The accounts of all users. Used from one event loop."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._accounts: dict[str, Account] = {}

    @asynccontextmanager
    async def turn(self, user: str) -> AsyncIterator[None]:
        """For as long as one request takes, once it is its turn. Raises `TooMuch`."""
        limits = self._limits
        account = self._account(user)
        wait = max(0.0, (1.0 - account.left) / limits.per_second)
        if wait > MOST_WAIT_SECONDS:
            raise TooMuch(f"more than {limits.per_second:g} requests a second", wait)
        account.left -= 1.0
        if wait:
            await asyncio.sleep(wait)
        async with account.at_once:
            yield

    def _account(self, user: str) -> Account:
        now, limits = self._clock(), self._limits
        account = self._accounts.get(user)
        if account is None:
            new = Account(limits.burst, now, asyncio.Semaphore(limits.at_once))
            account = self._accounts[user] = new
        earned = (now - account.filled) * limits.per_second
        account.left, account.filled = min(limits.burst, account.left + earned), now
        return account
