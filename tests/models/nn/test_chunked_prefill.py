"""Prefill steps grow until they take as long as they may, and at most two are under way."""

from collections.abc import Callable

import pytest
import torch

from keyturn.cache.plan import batches
from keyturn.models.nn.chunked_prefill import (
    FIRST_TOKENS,
    LEAST_TOKENS,
    MOST_MS,
    MOST_TOKENS,
    Mark,
    Stride,
)


class Device:
    """A device that takes so many milliseconds for a token and does one step after the other."""

    def __init__(self, ms_per_token: float) -> None:
        self.ms_per_token = ms_per_token
        self.given_ms = 0.0  # work given to it so far
        self.done_ms = 0.0  # work waited for so far
        self.longest_queue_ms = 0.0

    def mark(self) -> Mark:
        return Place(self, self.given_ms)

    def launch(self, tokens: int) -> None:
        self.given_ms += tokens * self.ms_per_token
        self.longest_queue_ms = max(self.longest_queue_ms, self.given_ms - self.done_ms)


class Place:
    def __init__(self, device: Device, at_ms: float) -> None:
        self.device, self.at_ms = device, at_ms

    def wait(self) -> None:
        self.device.done_ms = max(self.device.done_ms, self.at_ms)

    def ms_since(self, earlier: Mark) -> float:
        assert isinstance(earlier, Place)
        return self.at_ms - earlier.at_ms


def fill(stride: Stride, device: Device, tokens: int) -> list[int]:
    """Prefill as a session does; the lengths of the steps."""
    lengths = []
    while tokens > 0:
        stride.keep_up()
        count = min(stride.tokens, tokens)
        with stride.step(count):
            device.launch(count)
        lengths.append(count)
        tokens -= count
    return lengths


@pytest.mark.parametrize("ms_per_token", [0.0005, 0.003, 0.02, 0.1])
def test_a_keystroke_waits_for_two_steps_of_the_longest_kind_at_most(ms_per_token: float) -> None:
    device = Device(ms_per_token)
    stride = Stride(device.mark)
    fill(stride, device, 30_000)
    settled = stride.tokens
    device.longest_queue_ms = 0.0
    device.done_ms = device.given_ms
    fill(stride, device, 30_000)
    assert stride.tokens == settled
    assert device.longest_queue_ms <= 2 * MOST_MS
    assert settled == MOST_TOKENS or settled * ms_per_token > MOST_MS / 3


def test_the_device_never_waits_for_the_next_step() -> None:
    device = Device(0.01)
    stride = Stride(device.mark)
    for _ in range(5):
        stride.keep_up()
        with stride.step(100):
            device.launch(100)
        assert device.given_ms - device.done_ms >= 1.0  # one is running or waits


def test_a_device_that_is_slow_once_is_given_long_steps_again() -> None:
    device = Device(0.001)
    stride = Stride(device.mark)
    fill(stride, device, 40_000)
    before = stride.tokens
    device.ms_per_token = 1.0
    fill(stride, device, 30_000)
    assert stride.tokens == LEAST_TOKENS
    device.ms_per_token = 0.001
    fill(stride, device, 40_000)
    assert stride.tokens == before


def test_short_steps_teach_nothing() -> None:
    device = Device(0.001)
    stride = Stride(device.mark)
    for _ in range(50):
        fill(stride, device, 3)
    assert stride.tokens == FIRST_TOKENS


def test_on_a_cpu_steps_stay_as_they_are() -> None:
    stride = Stride.of(torch.device("cpu"))
    assert fill(stride, Device(1000.0), 300) == [FIRST_TOKENS, FIRST_TOKENS, 300 - 2 * FIRST_TOKENS]


def test_batches_follow_a_length_that_changes_meanwhile() -> None:
    lengths = iter([2, 5, 1])
    most: Callable[[], int] = lambda: next(lengths)  # noqa: E731
    found = list(batches([range(3), range(10, 15)], most))
    assert found == [[range(2)], [range(2, 3), range(10, 14)], [range(14, 15)]]
    assert list(batches([], most)) == []
