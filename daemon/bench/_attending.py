"""Attention's share of a model's time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@contextmanager
def attending() -> Iterator[list[float]]:
    """The milliseconds of each layer's attention by segments, which is the one of CPUs, inside the
    block. Nothing else is called than without it."""
    from ...models.nn.segment_attention import BySegments

    took_ms: list[float] = []
    attend = BySegments.__call__

    def timed(self: BySegments, raw: "Tensor", layer: int) -> "Tensor":
        started = time.perf_counter()
        result = attend(self, raw, layer)
        took_ms.append((time.perf_counter() - started) * 1e3)
        return result

    BySegments.__call__ = timed
    try:
        yield took_ms
    finally:
        BySegments.__call__ = attend
