"""Keys and values in eight bits: a run of rows put aside, to be written wherever it is wanted.

A key has channels that are large in every token, a value has tokens that are large in every
channel, so keys are scaled by channel and values by token (KIVI, arXiv 2402.02750, section 3).
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from .pool import Arena

LARGEST = 127


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedRows:
    """`keys` and `values` are (layers, kv_heads, tokens, head_dim) of int8, the scales of keys
    (layers, kv_heads, 1, head_dim) and those of values (layers, kv_heads, tokens, 1) of float32.
    The keys are turned for positions `first ..`."""

    first: int
    keys: Tensor
    key_scales: Tensor
    values: Tensor
    value_scales: Tensor

    @classmethod
    def of(cls, arena: Arena, start: int, stop: int, first: int) -> Self:
        """Those of rows `start .. stop`, whose keys are turned for `first ..`; on the host."""
        keys, key_scales = _quantised(arena.keys[:, :, start:stop], dim=2)
        values, value_scales = _quantised(arena.values[:, :, start:stop], dim=3)
        return cls(first, keys, key_scales, values, value_scales)

    def __len__(self) -> int:
        """The number of tokens."""
        return self.keys.shape[2]

    @property
    def nbytes(self) -> int:
        return sum(t.nbytes for t in (self.keys, self.key_scales, self.values, self.value_scales))

    def fits(self, arena: Arena) -> bool:
        """Whether they are a model's whose arenas have this shape."""
        layers, kv_heads, _, head_dim = arena.keys.shape
        return self.keys.shape == (layers, kv_heads, len(self), head_dim)

    def write(self, arena: Arena, row: int, position: int) -> None:
        """Fill rows `row ..`, for tokens that stand at `position ..`."""
        assert self.fits(arena), (self.keys.shape, arena.keys.shape)
        stop = row + len(self)
        _restore(arena.keys[:, :, row:stop], self.keys, self.key_scales)
        _restore(arena.values[:, :, row:stop], self.values, self.value_scales)
        if position != self.first:
            arena.turn(row, stop, position - self.first)


def _quantised(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """`x` as int8 and float32 scales, one for all that differs in `dim` only."""
    x = x.to("cpu", torch.float32)
    scales = x.abs().amax(dim, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny) / LARGEST
    return (x / scales).round_().to(torch.int8), scales


def _restore(into: Tensor, quantised: Tensor, scales: Tensor) -> None:
    """Layer by layer, so that no more than one is there twice."""
    for target, integers, scale in zip(into, quantised, scales, strict=True):
        target.copy_(integers.to(into.device) * scale.to(into.device))
