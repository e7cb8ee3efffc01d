"""A time limit that also ends loading and downloading."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ...cache.errors import KeyturnError


class TimeUp(KeyturnError):
    """The answer did not come in time."""


@contextmanager
def time_limit(seconds: float | None, started: float) -> Iterator[None]:
    """Raise `TimeUp` inside the block `seconds` after `started` (by time.monotonic()).

    Uses the alarm signal, which only the main thread of a process can have, and which Windows
    lacks: elsewhere the block has to look at the time itself, as decoding does at every step.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    if seconds is None or not in_main_thread or not hasattr(signal, "setitimer"):
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeUp(f"no completion within {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    remaining = max(started + seconds - time.monotonic(), 1e-6)
    earlier = signal.setitimer(signal.ITIMER_REAL, remaining)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *earlier)
        signal.signal(signal.SIGALRM, before)
