"""Weights in five bits, in groups of 32 that have a step of their own: 5.25 bits a weight.

weight[o, i] = scales[o] * steps[o, i // GROUP] * codes[o, i], where codes are from -16 to 15 and
steps whole numbers. So a product with whole numbers has an exact sum, as it has with `Int8Weight`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

GROUP = 32  # weights of a row that share a step
CODES = 32
MIDDLE = CODES // 2  # how much higher codes are stored
LARGEST_STEP = 127
ROWS = 16  # stored together
COLUMNS = 4  # of a row that are multiplied at once, side by side in ROWS * COLUMNS bytes
LINE = ROWS * COLUMNS
# A block is ROWS by GROUP weights: a LINE with the lower four bits of each two LINEs of codes, the
# first one's in the lower half of a byte; a LINE with the fifth bits of all eight, the first one's
# lowest; the steps.
BLOCK_BYTES = (GROUP // COLUMNS // 2 + 1) * LINE + ROWS
AT_ONCE = 2**15  # weights that are rounded together: what is at work fits into the second cache


@dataclass(frozen=True)
class Int5Weight:
    packed: Tensor  # (out / ROWS, in / GROUP, BLOCK_BYTES) uint8
    scales: Tensor  # (out,) float32

    @staticmethod
    def takes(weight: Tensor) -> bool:
        """Whether a matrix (out, in) has a shape for it."""
        return weight.shape[0] % ROWS == 0 and weight.shape[1] % GROUP == 0

    @classmethod
    def quantise(cls, weight: Tensor) -> "Int5Weight":
        """Round a float matrix (out, in)."""
        most = largest_step(weight.shape[1])
        scales = weight.float().abs().amax(dim=1) / (most * MIDDLE)
        scales = scales.clamp_min(torch.finfo(torch.float32).tiny)
        rows = max(1, AT_ONCE // (weight.shape[1] * ROWS)) * ROWS
        parts = zip(weight.split(rows), scales.split(rows), strict=True)
        return cls(torch.cat([_packed(*_rounded(w / s[:, None], most)) for w, s in parts]), scales)

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the matrix."""
        blocks, groups, _ = self.packed.shape
        return blocks * ROWS, groups * GROUP

    def whole(self) -> Tensor:
        """Steps times codes, int16 (out, in)."""
        blocks, groups, _ = self.packed.shape
        low, high, steps = self.packed.split((BLOCK_BYTES - LINE - ROWS, LINE, ROWS), dim=2)
        low = low.unflatten(2, (-1, 1, LINE))
        low = torch.cat((low & 15, low >> 4), 3).flatten(2, 3)  # (blocks, groups, 8, LINE)
        bits = torch.arange(GROUP // COLUMNS, dtype=torch.uint8)[:, None]
        codes = (low | (high[:, :, None] >> bits & 1) << 4).to(torch.int16) - MIDDLE
        codes = codes.unflatten(3, (ROWS, COLUMNS)).transpose(2, 3).flatten(3)
        values = codes * steps.view(torch.int8).to(torch.int16)[..., None]
        return values.transpose(1, 2).reshape(blocks * ROWS, groups * GROUP)

    def dequantise(self) -> Tensor:
        return self.whole().float() * self.scales[:, None]

    def rows(self, ids: Tensor) -> "Int5Weight":
        """The weight of some outputs only, copied; their number must be a multiple of ROWS."""
        assert len(ids) % ROWS == 0, len(ids)
        blocks, lanes = ids // ROWS, ids % ROWS
        lines, steps = self.packed.split((BLOCK_BYTES - ROWS, ROWS), dim=2)
        lines = lines.unflatten(2, (-1, ROWS, COLUMNS))[blocks, :, :, lanes]  # (ids, groups, 5, 4)
        steps = steps[blocks, :, lanes]  # (ids, groups)
        lines = lines.unflatten(0, (-1, ROWS)).permute(0, 2, 3, 1, 4).flatten(2)
        steps = steps.unflatten(0, (-1, ROWS)).transpose(1, 2)
        return Int5Weight(torch.cat((lines, steps), 2), self.scales[ids].contiguous())


def largest_step(ins: int) -> int:
    """So that a sum of `ins` products with codes of 127 fits into 32 bits."""
    return min(LARGEST_STEP, (2**31 - 1) // (127 * MIDDLE * ins))


def _rounded(x: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """Codes (out, in) and steps (out, groups), whole numbers in float32, of `x` whose entries are
    `most` * MIDDLE at most."""
    groups = x.float().unflatten(1, (-1, GROUP))
    # The extreme goes to the lower end, which reaches further.
    extremes = groups.gather(2, groups.abs().argmax(2, keepdim=True))
    steps = (extremes / -MIDDLE).round_()
    codes = groups / torch.where(steps == 0, 1, steps)
    return codes.round_().clamp_(-MIDDLE, MIDDLE - 1).flatten(1), steps.flatten(1)


def _packed(codes: Tensor, steps: Tensor) -> Tensor:
    shape = (-1, ROWS, codes.shape[1] // GROUP, GROUP // COLUMNS, COLUMNS)
    lines = (codes + MIDDLE).to(torch.uint8).view(shape).permute(0, 2, 3, 1, 4).flatten(3)
    low = (lines & 15).unflatten(2, (-1, 2))
    low = low[:, :, :, 0] | low[:, :, :, 1] << 4
    bits = torch.arange(GROUP // COLUMNS, dtype=torch.uint8)[:, None]
    high = (lines >> 4 << bits).sum(2, dtype=torch.uint8)
    own = steps.to(torch.int8).view(torch.uint8).unflatten(0, (-1, ROWS)).transpose(1, 2)
    return torch.cat((low.flatten(2), high, own), 2)
