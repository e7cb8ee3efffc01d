"""Rotary position embeddings as pure angles: a key can be turned by any number of positions.

`inv_freq` is fixed per dimension for every scaling that keyturn accepts; the angle at position p is
`p * inv_freq`, so turning by p and then by d equals turning by p + d. YaRN's attention factor is
kept apart from the angles: it belongs to a score once per side and must not be applied again when
something is turned a second time.

Sources: RoFormer (arXiv 2104.09864); position interpolation (2306.15595); YaRN (2309.00071);
Llama 3.1 (2407.21783). Pairs are half-split: dimension i turns with dimension i + head_dim / 2.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rope:
    """Frequencies in radians per position, one per pair of dimensions; hashable and torch-free."""

    inv_freq: tuple[float, ...]
    attention_factor: float = 1.0

    @property
    def head_dim(self) -> int:
        return 2 * len(self.inv_freq)


def plain_rope(head_dim: int, theta: float) -> Rope:
    return Rope(tuple(theta ** (-i / head_dim) for i in range(0, head_dim, 2)))


def linear_rope(head_dim: int, theta: float, factor: float) -> Rope:
    """Position interpolation: every position is divided by `factor`."""
    return Rope(tuple(f / factor for f in plain_rope(head_dim, theta).inv_freq))


def llama3_rope(
    head_dim: int, theta: float, factor: float, low: float, high: float, trained_tokens: int
) -> Rope:
    """Long wavelengths are divided by `factor`, short ones kept, those between blended."""

    def scale(frequency: float) -> float:
        turns = trained_tokens * frequency / (2 * math.pi)
        if turns < low:
            return frequency / factor
        if turns > high:
            return frequency
        smooth = (turns - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency

    return Rope(tuple(scale(f) for f in plain_rope(head_dim, theta).inv_freq))


def yarn_rope(
    head_dim: int,
    theta: float,
    factor: float,
    trained_tokens: int,
    beta_fast: float = 32,
    beta_slow: float = 1,
    attention_factor: float | None = None,
    truncate: bool = True,
) -> Rope:
    """YaRN (arXiv 2309.00071, section 3): a ramp over the dimensions between two turn counts."""

    def dimension(turns: float) -> float:
        return head_dim * math.log(trained_tokens / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = dimension(beta_fast), dimension(beta_slow)
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    if low == high:
        high += 0.001

    def scale(index: int, frequency: float) -> float:
        interpolated = min(max((index - low) / (high - low), 0.0), 1.0)
        return interpolated * frequency / factor + (1 - interpolated) * frequency

    plain = plain_rope(head_dim, theta).inv_freq
    if attention_factor is None:
        attention_factor = 0.1 * math.log(factor) + 1.0 if factor > 1 else 1.0
    return Rope(tuple(scale(i, f) for i, f in enumerate(plain)), float(attention_factor))


class RotaryTable:
    """Cosines and sines of one `Rope` for every position seen so far; grows, never shrinks.

    `sin` is stored with the sign of each half already in it, so that turning is
    `x * cos + swap_halves(x) * sin`. Angles are computed in float64.
    """

    def __init__(self, rope: Rope, device: torch.device, dtype: torch.dtype = torch.float32):
        self.rope = rope
        self.device = device
        self.dtype = dtype
        self.frequencies = torch.tensor(rope.inv_freq, dtype=torch.float64, device=device)
        self.first = 0  # position of row 0: negative once a segment was turned below zero
        self.cos = torch.empty(0, rope.head_dim, dtype=dtype, device=device)
        self.sin = self.cos

    def rows(self, positions: range | Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines, each (positions, head_dim). `range` is the fast path."""
        if isinstance(positions, range):
            low, high = positions.start, positions.stop
        else:
            low, high = int(positions.min()), int(positions.max()) + 1
        if low < self.first or high > self.first + len(self.cos):
            self._cover(low, high)
        if isinstance(positions, range):
            span = slice(low - self.first, high - self.first)
            return self.cos[span], self.sin[span]
        index = positions - self.first
        return self.cos[index], self.sin[index]

    def _cover(self, low: int, high: int) -> None:
        low = min(low, self.first)
        high = max(2 * high, self.first + len(self.cos), 1024)
        positions = torch.arange(low, high, dtype=torch.float64, device=self.frequencies.device)
        angles = torch.outer(positions, self.frequencies)
        cos, sin = angles.cos(), angles.sin()
        self.first = low
        self.cos = torch.cat((cos, cos), dim=-1).to(self.dtype)
        self.sin = torch.cat((-sin, sin), dim=-1).to(self.dtype)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn `x` (..., tokens, head_dim) by the angles of `cos` and `sin` (tokens, head_dim)."""
    first, second = x.chunk(2, dim=-1)
    return torch.addcmul(x * cos, torch.cat((second, first), dim=-1), sin)
