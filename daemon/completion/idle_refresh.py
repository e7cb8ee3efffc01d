"""Idle time: how much of it goes into making caches exact, and in how small steps.

A step must end before typing could notice it, so its number of tokens follows what the last ones
took on this machine.
"""

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import psutil

STEP_MS = 20.0
MOST_TOKENS = 64
AGAIN_TOKENS = 8  # of the step after one of a single token that took too long
GENTLE_REST = 3.0  # times as long as a step took: a quarter of the time is work
GLANCE_SECONDS = 0.01  # how often a rest looks whether there is something better to do


class IdleWork(StrEnum):
    """How much idle time is used."""

    OFF = "off"
    GENTLE = "gentle"  # a quarter of it
    FULL = "full"


class Refreshable(Protocol):
    def refresh(self, most_tokens: int) -> int:
        """Encode up to so many stale tokens again; how many, 0 when there is nothing to do."""
        ...


def on_battery() -> bool:
    """Whether this machine runs on a battery; False where that cannot be told."""
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return battery is not None and battery.power_plugged is False


class Refresher:
    """Owns the pace of idle work on one machine."""

    def __init__(
        self,
        work: IdleWork,
        on_battery: Callable[[], bool] = on_battery,
        clock: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.work = work
        self.step_tokens = 8
        self._on_battery = on_battery
        self._clock = clock
        self._sleep = sleep

    def run(self, session: Refreshable, interrupted: Callable[[], bool]) -> int:
        """Refresh until everything is exact or there is something better to do; tokens encoded."""
        work = IdleWork.GENTLE if self.work is IdleWork.FULL and self._on_battery() else self.work
        total = 0
        while work is not IdleWork.OFF and not interrupted():
            started = self._clock()
            count = session.refresh(self.step_tokens)
            if not count:
                break
            took = self._clock() - started
            total += count
            self._adapt(count, took * 1000)
            if work is IdleWork.GENTLE:
                self._rest(GENTLE_REST * took, interrupted)
        return total

    def _adapt(self, count: int, took_ms: float) -> None:
        if took_ms > STEP_MS:  # eight tokens take little longer than one that takes so long
            self.step_tokens = self.step_tokens // 2 or AGAIN_TOKENS
        elif count == self.step_tokens and took_ms < STEP_MS / 3:
            self.step_tokens = min(MOST_TOKENS, self.step_tokens * 2)

    def _rest(self, seconds: float, interrupted: Callable[[], bool]) -> None:
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0 and not interrupted():
            self._sleep(min(left, GLANCE_SECONDS))
