"""Kernels that count as compiled and measured on this machine, which takes seconds."""

import shutil
from functools import cache
from pathlib import Path

import torch

from keyturn.models.nn.autotune import TOKENS, Measured, fastest
from keyturn.models.nn.cpu.native import Native
from keyturn.models.nn.exactness import SHORT, exact, probe
from keyturn.models.nn.kernels import Kernel
from support.models.native import KEPT, native, processors


def share_code(folder: Path) -> Native | None:
    """Have our own kernels in a cache folder, as they were compiled for another one."""
    if not processors():
        return None
    ours = native()
    kept = KEPT / f"{ours.code.name}.o"
    (folder / "kernels").mkdir(parents=True, exist_ok=True)
    shutil.copy(kept, folder / "kernels" / kept.name)
    return ours


def remember_kernels(folder: Path) -> Path:
    """Have in a cache folder what compiling and measuring would leave there, for a process with as
    many threads as this one and for one with a single thread; the folder."""
    ours = share_code(folder)
    threads = torch.get_num_threads()
    try:
        for count in {1, threads}:
            torch.set_num_threads(count)
            fastest(folder, lambda note: None, take=_taken, busy=lambda: False, native=ours)
    finally:
        torch.set_num_threads(threads)
    return folder


@cache
def _taken() -> Measured:
    """All that are exact are as fast, and float32 is half as fast."""
    ours = native() if processors() else None
    form, sound = probe(ours)
    if ours is not None and exact(SHORT, "int5", ours):
        sound.insert(0, SHORT)
    times: dict[Kernel, list[float]] = {kernel: [1.0] * len(TOKENS) for kernel in sound}
    return Measured(form, sound, {**times, "float32": [2.0] * len(TOKENS)})
