"""How much one user may ask, whatever the others do."""

import asyncio

import pytest

from keyturn.daemon.team.quota import MOST_WAIT_SECONDS, Quota, TooMuch
from keyturn.daemon.team.settings import Limits


class Hand:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_only_so_many_at_once_and_the_others_wait() -> None:
    quota = Quota(Limits(at_once=2, burst=100), Hand())
    inside = most = 0

    async def one(user: str) -> None:
        nonlocal inside, most
        async with quota.turn(user):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(one("ann") for _ in range(6)))
    assert most == 2
    await asyncio.gather(*(one(user) for user in ("ann", "bob", "eve") for _ in range(3)))
    assert most == 6


async def test_what_is_more_waits_for_its_turn_and_what_would_wait_long_is_refused() -> None:
    clock = Hand()
    quota = Quota(Limits(at_once=1_000, per_second=50, burst=5), clock)
    loop = asyncio.get_running_loop()

    async def took() -> float:
        began = loop.time()
        async with quota.turn("ann"):
            return loop.time() - began

    waits = await asyncio.gather(*(took() for _ in range(10)))
    assert max(waits[:5]) < 0.02
    assert all(wait >= 0.015 * (number + 1) for number, wait in enumerate(waits[5:]))
    held = [asyncio.create_task(took()) for _ in range(int(50 * MOST_WAIT_SECONDS))]
    await asyncio.sleep(0)
    with pytest.raises(TooMuch, match="50 requests a second") as refused:
        await took()
    assert refused.value.seconds > MOST_WAIT_SECONDS
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    clock.now = 1_000.0  # nobody saves up for more than a burst
    assert max(await asyncio.gather(*(took() for _ in range(5)))) < 0.02
    assert await took() >= 0.015


async def test_what_fails_is_over_too() -> None:
    quota = Quota(Limits(at_once=1), Hand())
    with pytest.raises(RuntimeError):
        async with quota.turn("ann"):
            raise RuntimeError
    async with quota.turn("ann"):
        pass
