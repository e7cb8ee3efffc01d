"""The sharing of a GPU: its memory between programs, and its time between us and idle work."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch

LOWEST, HIGHEST = 0, -1  # stream priorities; 0 is also that of the default stream
RESERVE_BYTES = 512 * 2**20  # for what a forward pass needs beside weights and caches

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes of a device: free for anybody, and held by us without being used."""

    free_bytes: int
    unused_bytes: int = 0


def memory_of(device: torch.device) -> DeviceMemory:
    """Asks the driver, which takes microseconds."""
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return DeviceMemory(free, unused)


def polite_bytes(memory: DeviceMemory, held_bytes: int, share: float, least_bytes: int) -> int:
    """What caches that hold `held_bytes` now may hold: `share` of what would be free without them,
    after the reserve, but never less than `least_bytes`, one file's."""
    ours = memory.free_bytes + memory.unused_bytes + held_bytes - RESERVE_BYTES
    return max(least_bytes, int(share * ours))


def give_back(device: torch.device) -> None:
    """Let other programs have what is no longer referred to."""
    gc.collect()  # a model and its recordings refer to each other
    if device.type == "cuda":
        torch.cuda.empty_cache()


def come_first(device: torch.device) -> None:
    """Launch all that this thread launches from now on ahead of what runs aside."""
    torch.cuda.synchronize(device)
    torch.cuda.set_stream(torch.cuda.Stream(device, priority=HIGHEST))


class Aside(Protocol):
    """Where idle work runs."""

    def run(self, work: Callable[[], T]) -> T:
        """Do it, and wait until the device has done it."""
        ...


class Here:
    """On a CPU there is one place."""

    def run(self, work: Callable[[], T]) -> T:
        return work()


class LowStream:
    """A CUDA stream of the lowest priority: whatever else we launch goes first."""

    def __init__(self, device: torch.device):
        self.device = device
        self.stream = torch.cuda.Stream(device, priority=LOWEST)

    def run(self, work: Callable[[], T]) -> T:
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            done = work()
        self.stream.synchronize()  # so that its length can be measured, and no event is needed
        return done


def aside(device: torch.device) -> Aside:
    return LowStream(device) if device.type == "cuda" else Here()
