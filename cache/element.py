"""The two ways to keep a row of keys or values: as floats, or in eight bits a number.

Whatever moves rows need not know which it is.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

CODES = 127  # the largest code; stored as unsigned bytes, ZERO higher
ZERO = 128
STEP_BYTES = 2  # of a bfloat16
HUGEST_STEP = 2.0**60  # so that products of codes and steps stay numbers


class Element(Protocol):
    """How a row of keys or values is kept. Keys and values are (kv_heads, tokens, head_dim)."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the tensors."""
        ...

    def width(self, head_dim: int) -> int:
        """Numbers of that dtype in a row."""
        ...

    def packed(self, x: Tensor, layer: int | None) -> Tensor:
        """What is kept of some keys in a layer, or of values for None."""
        ...

    def floats(self, rows: Tensor, layer: int | None) -> Tensor:
        """The keys, or values, that rows stand for."""
        ...


@dataclass(frozen=True, slots=True)
class Floats:
    """Rows of floating point numbers, as they are."""

    dtype: torch.dtype

    def width(self, head_dim: int) -> int:
        return head_dim

    def packed(self, x: Tensor, layer: int | None) -> Tensor:
        return x

    def floats(self, rows: Tensor, layer: int | None) -> Tensor:
        return rows


@dataclass(frozen=True, eq=False)
class Codes:
    """Rows of a byte for each channel and the step between two codes behind them, a bfloat16. What
    is no number makes a row of zeros.

    Channels of keys are divided by `factors` (layers, kv_heads, head_dim) first, float32, the same
    for both halves of a pair, so that turning may come before or after.
    """

    factors: Tensor
    dtype: torch.dtype = torch.uint8

    @cached_property
    def inverse(self) -> Tensor:
        return 1 / self.factors

    def width(self, head_dim: int) -> int:
        return head_dim + STEP_BYTES

    def packed(self, x: Tensor, layer: int | None) -> Tensor:
        x = x.float() if layer is None else x.float() * self.inverse[layer].unsqueeze(1)
        step = x.abs().amax(dim=-1, keepdim=True) / CODES
        step = step.nan_to_num(0.0, posinf=0.0).clamp_(max=HUGEST_STEP)
        bits = step.view(torch.int32).add_(0xFFFF).bitwise_right_shift_(16)  # none is below zero
        step = bits.to(torch.int16).view(torch.bfloat16)
        codes = (x / step.float()).round_().nan_to_num_(-CODES).clamp_(-CODES, CODES).add_(ZERO)
        return torch.cat((codes.to(torch.uint8), step.view(torch.uint8)), dim=-1)

    def floats(self, rows: Tensor, layer: int | None) -> Tensor:
        step = rows[..., -STEP_BYTES:].contiguous().view(torch.bfloat16).float()
        x = (rows[..., :-STEP_BYTES].float() - ZERO) * step
        return x if layer is None else x * self.factors[layer].unsqueeze(1)
