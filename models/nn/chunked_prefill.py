"""Chunked prefill: steps of so many tokens that a keystroke that comes in between can cut in.

On a GPU a step is only launched, and the next one is launched while it runs, or the device would
wait for the processor between any two. So at most two are under way, each no longer than MOST_MS,
and a keystroke waits for twice that. On a CPU a launch is the work itself, and there is nothing to
measure: a step of FIRST_TOKENS is what it can do between two looks.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import torch

FIRST_TOKENS, LEAST_TOKENS, MOST_TOKENS = 128, 64, 2048
MOST_MS = 10.0


class Mark(Protocol):
    """A place in the work that was given to a device."""

    def wait(self) -> None:
        """Until the device has come there."""
        ...

    def ms_since(self, earlier: "Mark") -> float:
        """What the device took from one to the other; both were waited for."""
        ...


class CudaMark:
    def __init__(self) -> None:
        self.event = torch.cuda.Event(enable_timing=True)
        self.event.record()

    def wait(self) -> None:
        self.event.synchronize()

    def ms_since(self, earlier: Mark) -> float:
        assert isinstance(earlier, CudaMark), earlier
        return earlier.event.elapsed_time(self.event)


class Stride:
    """The length of the steps on one device, and how many of them are under way."""

    def __init__(self, mark: Callable[[], Mark] | None = None):
        """`mark`: put one behind all work so far; None where launching is the work itself."""
        self.tokens = FIRST_TOKENS
        self._mark = mark
        self._under_way: deque[tuple[int, Mark, Mark]] = deque()

    @classmethod
    def of(cls, device: torch.device) -> "Stride":
        return cls(CudaMark if device.type == "cuda" else None)

    @contextmanager
    def step(self, tokens: int) -> Iterator[None]:
        """Around launching a step of so many tokens."""
        if self._mark is None:
            yield
            return
        start = self._mark()
        yield
        self._under_way.append((tokens, start, self._mark()))

    def keep_up(self) -> None:
        """Wait until only the last step may still be running, and learn from the others. Before
        looking up whether the next one is still wanted."""
        while len(self._under_way) > 1:
            tokens, start, stop = self._under_way.popleft()
            stop.wait()
            self._learn(tokens, stop.ms_since(start))

    def _learn(self, tokens: int, took_ms: float) -> None:
        if took_ms > MOST_MS and LEAST_TOKENS < tokens <= self.tokens:
            self.tokens = max(LEAST_TOKENS, tokens // 2)
        elif took_ms < MOST_MS / 3 and tokens == self.tokens:
            self.tokens = min(MOST_TOKENS, self.tokens * 2)
