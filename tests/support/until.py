"""Waiting for what another thread, task or process does: always with a limit, and a word for what
was waited for."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any, TypeVar

Found = TypeVar("Found")

PATIENCE_SECONDS = 60.0  # on a busy machine


def until(
    condition: Callable[[], Found],
    what: str | Callable[[], object],
    seconds: float = PATIENCE_SECONDS,
    every: float = 0.01,
) -> Found:
    """What `condition` gave once that was true. Fails after `seconds`, saying `what` did not come;
    a function is asked for it then."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        _expect_time(deadline, what, seconds, found)
        time.sleep(every)
    return found


async def until_async(
    condition: Callable[[], Any],
    what: str | Callable[[], object],
    seconds: float = PATIENCE_SECONDS,
    every: float = 0.002,
) -> Any:
    """As `until`, while the event loop goes on; `condition` may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while not (found := await _settled(condition())):
        _expect_time(deadline, what, seconds, found)
        await asyncio.sleep(every)
    return found


async def _settled(found: Any) -> Any:
    return await found if inspect.isawaitable(found) else found


def _expect_time(
    deadline: float, what: str | Callable[[], object], seconds: float, found: object
) -> None:
    if time.monotonic() > deadline:
        missed = what if isinstance(what, str) else what()
        raise AssertionError(f"not within {seconds:g} s: {missed} (last seen: {found!r})")
