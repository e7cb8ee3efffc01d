"""The arena of one file: growing rows of keys and values, all layers side by side, and the two ways
to keep a row: as floats, or in eight bits a number.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from .rope import RotaryTable, turn

CODES = 127  # the largest code; stored as unsigned bytes, ZERO higher
ZERO = 128
STEP_BYTES = 2  # of a bfloat16
HUGEST_STEP = 2.0**60  # so that products of codes and steps stay numbers


class Element(Protocol):
    """How a row of keys or values is kept. Keys and values are (kv_heads, tokens, head_dim)."""

    dtype: torch.dtype  # of the tensors

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


class Arena:
    """Keys and values, each (layers, kv_heads, rows, what `element` makes of head_dim); grows by a
    sixteenth.

    The keys are stored as turned by `table`, which several arenas of one model share.
    """

    def __init__(
        self,
        layers: int,
        kv_heads: int,
        head_dim: int,
        element: Element,
        table: RotaryTable,
        rows: int = 256,
    ):
        self.layers, self.kv_heads, self.head_dim = layers, kv_heads, head_dim
        self.element = element
        self.table = table
        with torch.inference_mode(False):  # so that rows can be written in any mode
            shape = (layers, kv_heads, rows, element.width(head_dim))
            self.keys = torch.empty(shape, device=table.device, dtype=element.dtype)
            self.values = torch.empty_like(self.keys)

    @property
    def rows(self) -> int:
        return self.keys.shape[2]

    @property
    def bytes_per_row(self) -> int:
        return 2 * self.layers * self.kv_heads * self.row_bytes

    @property
    def row_bytes(self) -> int:
        """Of one head of one key."""
        return self.keys.shape[3] * self.keys.element_size()

    @property
    def nbytes(self) -> int:
        return self.rows * self.bytes_per_row

    def empty_like(self, rows: int) -> "Arena":
        """An arena of the same shape and element with room for `rows`."""
        return Arena(self.layers, self.kv_heads, self.head_dim, self.element, self.table, rows)

    def reserve(self, rows: int, most: int | None = None) -> None:
        """Make room for at least `rows` rows, at the most `most`; what is stored stays put."""
        if rows > self.rows:
            ahead = self.rows + self.rows // 16
            self.resize(max(rows, ahead if most is None else min(ahead, most)))

    def resize(self, rows: int) -> None:
        """Have exactly `rows` rows; those past it are lost."""
        self.keys, self.values = _resized(self.keys, rows), _resized(self.values, rows)

    def write(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (tokens, kv_heads, head_dim) at `row ..` of one layer."""
        stop = row + len(keys)
        self.keys[layer, :, row:stop] = self.element.packed(keys.transpose(0, 1), layer)
        self.values[layer, :, row:stop] = self.element.packed(values.transpose(0, 1), None)

    def read(self, layer: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Keys and values of some rows of one layer, each (kv_heads, tokens, head_dim); views of
        floats."""
        keys, values = self.keys[layer, :, start:stop], self.values[layer, :, start:stop]
        return self.element.floats(keys, layer), self.element.floats(values, None)

    def turn(self, start: int, stop: int, by: int) -> None:
        """Turn the stored keys of some rows by `by` more positions, computed in float32."""
        cos, sin = self.table.rows(range(by, by + 1))
        for layer, rows in enumerate(self.keys[:, :, start:stop]):
            turned = turn(self.element.floats(rows, layer).float(), cos, sin)
            rows.copy_(self.element.packed(turned, layer))

    def permute(self, rows: list[tuple[int, int, int]]) -> None:
        """Move runs of rows: (from, to, length) each, all read before anything is written."""
        sources = torch.cat([torch.arange(a, a + n) for a, _, n in rows]).to(self.keys.device)
        targets = torch.cat([torch.arange(b, b + n) for _, b, n in rows]).to(self.keys.device)
        for stored in (self.keys, self.values):
            for layer in stored:
                layer[:, targets] = layer[:, sources]


def _resized(old: Tensor, rows: int) -> Tensor:
    layers, kv_heads, used, width = old.shape
    with torch.inference_mode(False):
        new = old.new_empty(layers, kv_heads, rows, width)
    kept = min(rows, used)
    new[:, :, :kept] = old[:, :, :kept]
    return new
