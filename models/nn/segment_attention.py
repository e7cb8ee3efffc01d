"""One forward pass's attention, layer by layer: turn, store the new keys and values, attend.

`BySegments` is the readable one and serves every device: one partial per segment, by any of the
backends of attention.py. `triton_attention.py` does the same in three kernels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ...cache.pool import Arena
from ...cache.rope import RotaryTable, turn
from ...cache.segment import Part, Step
from .attention import PartialAttention, attend, by_rows
from .few_rows import FEW_ROWS, Piece


@dataclass(frozen=True, slots=True)
class Heads:
    """The shape of a model's attention."""

    heads: int
    kv_heads: int
    head_dim: int
    scale: float

    @property
    def group(self) -> int:
        """Query heads for each key head."""
        return self.heads // self.kv_heads

    @property
    def projected(self) -> int:
        """Heads side by side in one token's projection: queries, then keys, then values."""
        return self.heads + 2 * self.kv_heads


class StepAttention(Protocol):
    def __call__(self, raw: Tensor, layer: int) -> Tensor:
        """What the heads say, (tokens, heads * head_dim), to the projections `raw` (tokens,
        projected, head_dim), which are not turned yet. Stores keys and values of the tokens."""
        ...


class BySegments:
    """`StepAttention` of one step with one partial per segment."""

    def __init__(
        self,
        heads: Heads,
        table: RotaryTable,
        step: Step,
        arena: Arena,
        attention: PartialAttention,
    ):
        self.heads, self.step, self.arena, self.attention = heads, step, arena, attention
        self.turns = Turns(table, step)

    def __call__(self, raw: Tensor, layer: int) -> Tensor:
        h, step = self.heads, self.step
        turned = self.turns.turn(raw[:, : h.heads + h.kv_heads], 0)
        keys, values = turned[:, h.heads :], raw[:, h.heads + h.kv_heads :]
        queries = {0: turned[:, : h.heads]}

        def query(offset: int, start: int, stop: int) -> Tensor:
            if offset not in queries:
                queries[offset] = self.turns.turn(raw[:, : h.heads], offset)
            return queries[offset][start:stop]

        attended, start = [], 0
        for part in step.parts:  # in order of position: a later part sees what an earlier one wrote
            stop = start + len(part.positions)
            self.arena.write(layer, part.row, keys[start:stop], values[start:stop])
            part_query = partial(query, start=start, stop=stop)
            joined = by_rows(self.attention, part_query(0))
            seen = pieces(step, part, self.arena, layer, FEW_ROWS if joined else 1)
            attended.append(attend(part_query, seen, h.scale, self.attention))
            start = stop
        merged = attended[0] if len(attended) == 1 else torch.cat(attended)
        return merged.reshape(len(raw), h.heads * h.head_dim)


class SideBySide:
    """`StepAttention` of several steps, whose tokens come one after the other: to each its own."""

    def __init__(self, attentions: Sequence[StepAttention], tokens: Sequence[int]):
        self.attentions, self.tokens = attentions, list(tokens)

    def __call__(self, raw: Tensor, layer: int) -> Tensor:
        parts = zip(self.attentions, raw.split(self.tokens), strict=True)
        return torch.cat([attention(part, layer) for attention, part in parts])


def pieces(step: Step, part: Part, arena: Arena, layer: int, joined_tokens: int = 1) -> list[Piece]:
    """What a part's tokens see in one layer: earlier keys whole, their own causally.

    Up to `joined_tokens` see their own together with what stands before them in the segment, as
    one token does.
    """
    tokens, start = len(part.positions), part.positions.start
    if tokens <= joined_tokens:
        return _joined(step, part, arena, layer)
    seen_whole = start + 1 if tokens == 1 else start  # a single token sees itself like the others
    found = []
    for segment in step.visible:
        before = min(segment.length, seen_whole - segment.position)
        if before > 0:
            keys, values = arena.read(layer, segment.start, segment.start + before)
            found.append(Piece(keys, values, segment.offset, causal=False))
    if tokens > 1:
        keys, values = arena.read(layer, part.row, part.row + tokens)
        found.append(Piece(keys, values, 0, causal=True))
    return found


def _joined(step: Step, part: Part, arena: Arena, layer: int) -> list[Piece]:
    found = []
    for segment in step.visible:
        before = min(segment.length, part.positions.stop - segment.position)
        if before > 0:
            keys, values = arena.read(layer, segment.start, segment.start + before)
            own = segment.position + before == part.positions.stop
            found.append(Piece(keys, values, segment.offset, causal=own))
    return found


class Turns:
    """The angles of one step's queries, looked up once per distinct segment offset."""

    def __init__(self, table: RotaryTable, step: Step):
        self.table = table
        self.step = step
        self.angles: dict[int, tuple[Tensor, Tensor]] = {}

    def turn(self, x: Tensor, offset: int) -> Tensor:
        """Turn `x` (tokens, heads, head_dim) for `position - offset`, in float32."""
        if offset not in self.angles:
            spans = [part.positions for part in self.step.parts]
            rows = [self.table.rows(range(s.start - offset, s.stop - offset)) for s in spans]
            cos, sin = rows[0] if len(rows) == 1 else map(torch.cat, zip(*rows, strict=True))
            self.angles[offset] = (cos.unsqueeze(1), sin.unsqueeze(1))
        return turn(x.float(), *self.angles[offset]).to(x.dtype)
