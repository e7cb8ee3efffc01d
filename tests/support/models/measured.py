"""Kernels that count as measured on this machine, which takes seconds."""

from functools import cache
from pathlib import Path

import torch

from keyturn.models.nn.autotune import TOKENS, Measured, fastest, probe
from keyturn.models.nn.kernels import Kernel


def remember_kernels(folder: Path) -> Path:
    """Have in a cache folder what measuring would leave there, for a process with as many threads
    as this one and for one with a single thread; the folder."""
    threads = torch.get_num_threads()
    try:
        for count in {1, threads}:
            torch.set_num_threads(count)
            fastest(folder, lambda note: None, take=_taken, busy=lambda: False)
    finally:
        torch.set_num_threads(threads)
    return folder


@cache
def _taken() -> Measured:
    """All that are exact are as fast, and float32 is half as fast."""
    form, sound = probe()
    times: dict[Kernel, list[float]] = {kernel: [1.0] * len(TOKENS) for kernel in sound}
    return Measured(form, sound, {**times, "float32": [2.0] * len(TOKENS)})
