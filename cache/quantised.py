"""Keys and values in eight bits: a run of tokens put aside, to be written wherever it is wanted.

A key has channels that are large in every token, a value has tokens that are large in every
channel, so keys are scaled by channel and values by token (KIVI, arXiv 2402.02750, section 3). What
is large in a key is the same in every token before it is turned for its position: keys are turned
back to position zero, and what their channel has on average is taken out, before they are rounded.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from .pool import Arena
from .rope import RotaryTable, turn

LARGEST = 127


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedRows:
    """`keys` and `values` are (layers, kv_heads, tokens, head_dim) of int8; what keys have on
    average and their scales (layers, kv_heads, 1, head_dim), the scales of values (layers,
    kv_heads, tokens, 1), of float32. The keys are turned for no position."""

    keys: Tensor
    key_means: Tensor
    key_scales: Tensor
    values: Tensor
    value_scales: Tensor

    @classmethod
    def of(cls, arena: Arena, start: int, stop: int, first: int) -> Self:
        """Those of rows `start .. stop`, whose keys are turned for `first ..`; on the host."""
        back = -torch.arange(first, first + stop - start)
        read = [arena.read(layer, start, stop) for layer in range(arena.layers)]
        stored, values = (torch.stack(rows).float() for rows in zip(*read, strict=True))
        keys = _turned(arena.table, stored, back).cpu()
        means = keys.mean(dim=2, keepdim=True)
        whole, key_scales = _quantised(keys - means, dim=2)
        values, value_scales = _quantised(values.cpu(), dim=3)
        return cls(whole, means, key_scales, values, value_scales)

    def __len__(self) -> int:
        """The number of tokens."""
        return self.keys.shape[2]

    @property
    def nbytes(self) -> int:
        small = (self.key_means, self.key_scales, self.value_scales)
        return sum(tensor.nbytes for tensor in (self.keys, self.values, *small))

    def fits(self, arena: Arena) -> bool:
        """Whether they are a model's whose arenas have this shape."""
        return self.keys.shape == (arena.layers, arena.kv_heads, len(self), arena.head_dim)

    def write(self, arena: Arena, row: int, position: int) -> None:
        """Fill rows `row ..`, for tokens that stand at `position ..`."""
        assert self.fits(arena), (self.keys.shape, arena.keys.shape)
        there = torch.arange(position, position + len(self))
        device = arena.keys.device
        for layer in range(len(self.keys)):  # no more than one is there twice
            keys = self.keys[layer] * self.key_scales[layer] + self.key_means[layer]
            keys = _turned(arena.table, keys.to(device), there)
            values = (self.values[layer] * self.value_scales[layer]).to(device)
            arena.write(layer, row, keys.transpose(0, 1), values.transpose(0, 1))


def _turned(table: RotaryTable, keys: Tensor, by: Tensor) -> Tensor:
    """Keys (…, tokens, head_dim) turned by so many positions each."""
    cos, sin = table.rows(by)
    return turn(keys, cos, sin)


def _quantised(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """`x` as int8 and float32 scales, one for all that differs in `dim` only."""
    scales = x.abs().amax(dim, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny) / LARGEST
    return (x / scales).round_().to(torch.int8), scales
