"""A kernel on the threads of torch.

Threads of our own would fight with torch's, which spin for a while when their work is done. So a
kernel is run as OpenMP runs what a compiler made of a parallel region: by GOMP_parallel, of the
library that torch has loaded.
"""

import ctypes
import os
import struct
from collections.abc import Callable, Sequence
from functools import cache

import torch

LIBRARY = "libgomp.so.1"
LEAST_PRODUCTS = 2**18  # for each thread; what is less is not worth one

Numbers = ctypes.Array[ctypes.c_int64]  # what a kernel reads


def numbers(values: Sequence[int]) -> Numbers:
    return (ctypes.c_int64 * len(values))(*values)


def bits(number: float) -> int:
    """A float32 among the numbers."""
    return struct.unpack("i", struct.pack("f", number))[0]


class Team:
    """Runs kernels, void (int64 *), which share out their work by a counter in their numbers."""

    def __init__(self, parallel: Callable[[int, Numbers, int, int], None]):
        self._parallel = parallel

    def run(self, kernel: int, what: Numbers, most: int | None = None) -> None:
        """Call the kernel at an address on every thread at once, or on `most`; returns when all
        are done."""
        threads = torch.get_num_threads()
        self._parallel(kernel, what, threads if most is None else min(threads, most), 0)


@cache
def team() -> Team | None:
    """None where torch's threads are not those of GNU's OpenMP."""
    try:
        library = ctypes.CDLL(LIBRARY, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
        parallel = library.GOMP_parallel
    except (OSError, AttributeError):
        return None
    parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    parallel.restype = None
    return Team(parallel)
