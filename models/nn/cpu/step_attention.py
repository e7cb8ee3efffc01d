"""Attention by our kernel: of one step through all layers, and as a model's way for every step."""

from collections.abc import Callable

import torch
from torch import Tensor

from ....cache.element import Codes
from ....cache.pool import Arena
from ....cache.rope import RotaryTable
from ....cache.segment import Step
from ..segment_attention import Heads
from ..transformer import Transformer
from .launch import (
    HEADER,
    LAYER,
    RAW,
    RESULT,
    UNIT_KEYS,
    code_slot_floats,
    partial_floats,
    slot_floats,
)
from .native import Native
from .team import LEAST_PRODUCTS, bits, numbers


class EveryStep:
    """`transformer.Shortcut` for a model with float32 hidden states on a processor."""

    def __init__(self, model: Transformer, native: Native):
        self.model, self.native = model, native

    def takes(self, step: Step) -> bool:
        return True

    def run(self, hidden: Tensor, step: Step, arena: Arena, layers: range) -> Tensor:
        return self.model.through(hidden, self.attention(step, arena), layers)

    def attention(self, step: Step, arena: Arena) -> "ByUnits":
        return ByUnits(self.model.heads, self.model.table, step, arena, self.native)

    def logits(self, hidden: Tensor) -> Tensor | None:
        return None

    def prepare(self, cancelled: Callable[[], bool]) -> bool:
        return True


class ByUnits:
    """`StepAttention` of one step. The numbers of its launches are the same for every layer, but
    for a few at the beginning."""

    def __init__(self, heads: Heads, table: RotaryTable, step: Step, arena: Arena, native: Native):
        codes = arena.element if isinstance(arena.element, Codes) else None
        element = "float32" if codes is None else "int8"
        assert codes is not None or arena.keys.dtype == torch.float32, arena.keys.dtype
        self.heads, self.native = heads, native
        self.arena = arena  # whose memory is read
        self.remember = native.code.address(f"remember {element}")
        self.attend = native.code.address(f"attend {element}")
        assert self.attend, element
        rows, dim = len(step) * heads.group, heads.head_dim
        units = sum(-(-segment.length // UNIT_KEYS) for segment in step.visible)
        keys = sum(segment.length for segment in step.visible)
        worth = 1 + rows * heads.kv_heads * keys * dim // LEAST_PRODUCTS
        self.threads = min(torch.get_num_threads(), units * heads.kv_heads, worth)
        slot = slot_floats(rows, dim) if codes is None else code_slot_floats(rows, dim)
        self.scratch = torch.empty(self.threads * slot)
        self.partials = torch.empty(units * heads.kv_heads * partial_floats(rows, dim))
        cos, sin = _angles(table, step)
        factors = (0, 0) if codes is None else (codes.factors.data_ptr(), codes.inverse.data_ptr())
        row_bytes = arena.row_bytes
        header = [
            *(0, 0, 0, 0, 0, len(step), heads.heads, heads.kv_heads, dim, bits(heads.scale)),
            *(cos, sin, arena.rows * row_bytes, self.scratch.data_ptr(), 4 * slot),
            *(self.partials.data_ptr(), units, *factors),
        ]
        assert len(header) == HEADER
        found = [*header, *[0] * heads.kv_heads]
        first_key, first_value = arena.keys.data_ptr(), arena.values.data_ptr()
        for part in step.parts:
            for index, position in enumerate(part.positions):
                at = (part.row + index) * row_bytes
                found += (position, first_key + at, first_value + at)
        for segment in step.visible:
            at = segment.start * row_bytes
            found += (first_key + at, first_value + at)
            found += (segment.length, segment.position, segment.offset)
        self._numbers = numbers(found)
        self._counters = range(HEADER, HEADER + heads.kv_heads)

    def __call__(self, raw: Tensor, layer: int) -> Tensor:
        h, what = self.heads, self._numbers
        raw = raw.contiguous()
        assert raw.dtype == torch.float32, raw.dtype
        result = raw.new_empty(len(raw), h.heads * h.head_dim)
        what[0] = what[1] = 0
        what[LAYER], what[RAW], what[RESULT] = layer, raw.data_ptr(), result.data_ptr()
        for counter in self._counters:
            what[counter] = 0
        self.native.team.run(self.remember, what, 1)
        self.native.team.run(self.attend, what, self.threads)
        return result


def _angles(table: RotaryTable, step: Step) -> tuple[int, int]:
    """Addresses of the cosines and sines of position 0; those of every turned query are there."""
    positions = [p for part in step.parts for p in (part.positions.start, part.positions.stop - 1)]
    offsets = [0, *(segment.offset for segment in step.visible)]
    table.rows(range(min(positions) - max(offsets), max(positions) - min(offsets) + 1))
    back = 4 * table.first * table.cos.shape[1]
    return table.cos.data_ptr() - back, table.sin.data_ptr() - back
