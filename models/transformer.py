"""The forward pass of a decoder-only transformer over a segmented KV cache.

`embed`, `run` and `logits` are apart so that a caller can run the first layers, look at what they
say, and go on with the rest (early exit and resume). Shapes are (tokens, features): one file, one
batch; several tokens at once are several queries of the same sequence.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ..cache.pool import Arena
from ..cache.rope import RotaryTable, turn
from ..cache.segment import Part, Step
from .attention import PartialAttention, Piece, attend
from .config import ModelConfig
from .kernels import KernelPlan, linears
from .linear import LateLinear, Linear


@dataclass(frozen=True)
class Layer:
    """`qkv` and `up` begin with their norms, `out` and `down` end with the residual sum."""

    qkv: Linear
    out: Linear
    up: Linear
    down: Linear


class Transformer:
    """One model's weights and its forward pass. Keeps no state between calls but rotary tables."""

    def __init__(
        self,
        config: ModelConfig,
        embedding: Tensor,
        linears: Mapping[str, Linear],
        attention: PartialAttention,
        dtype: torch.dtype,
    ):
        """`linears` by the names of `layout`; `dtype`: of hidden states, keys and values."""
        self.config = config
        self.dtype = dtype
        self.attention = attention
        self.embedding = embedding  # (vocabulary, hidden)
        self.device = embedding.device
        self.table = RotaryTable(config.rope, self.device)
        self.scale = config.attention_scale * config.rope.attention_factor**2
        self.head = linears["head"]
        self.layers = [
            Layer(*(linears[f"layers.{n}.{name}"] for name in ("qkv", "out", "up", "down")))
            for n in range(config.layers)
        ]

    def new_arena(self, rows: int = 256) -> Arena:
        """An empty KV arena of this model's shape and dtype, with room for `rows` tokens."""
        c = self.config
        return Arena(c.layers, c.kv_heads, c.head_dim, self.dtype, self.table, rows)

    def settle(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Pack the kernels that were left for later, one matrix between two looks at `cancelled`.
        Returns whether all of them are; results do not change."""
        late = [x for x in (*self._linears(), self.head) if isinstance(x, LateLinear)]
        for linear in late:
            if cancelled():
                return False
            linear.settle()
        return True

    def _linears(self) -> Iterator[Linear]:
        for layer in self.layers:
            yield from (layer.qkv, layer.out, layer.up, layer.down)

    def embed(self, tokens: Tensor) -> Tensor:
        """(tokens,) int64 -> (tokens, hidden)."""
        hidden = F.embedding(tokens, self.embedding).to(self.dtype)
        multiplier = self.config.embedding_multiplier
        return hidden if multiplier == 1.0 else hidden * multiplier

    def run(self, hidden: Tensor, step: Step, arena: Arena, layers: range | None = None) -> Tensor:
        """(tokens, hidden) -> (tokens, hidden) through `layers` (default: all of them).

        Writes the keys and values of every layer it runs to the arena's rows of `step.parts`.
        """
        turns = Turns(self.table, step)
        for index in layers or range(self.config.layers):
            layer = self.layers[index]
            hidden = layer.out.add_to(hidden, self._attention(layer, hidden, index, arena, turns))
            hidden = layer.down.add_to(hidden, self._activated(layer.up(hidden)))
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """(tokens, hidden) of the last layer -> (tokens, vocabulary) float32."""
        logits = self.head(hidden).float()
        scaling = self.config.logits_scaling
        return logits if scaling == 1.0 else logits / scaling

    def _attention(
        self, layer: Layer, hidden: Tensor, index: int, arena: Arena, turns: "Turns"
    ) -> Tensor:
        """What the heads say, side by side: (tokens, heads * head_dim)."""
        c, step = self.config, turns.step
        raw = layer.qkv(hidden).view(len(hidden), c.heads + 2 * c.kv_heads, c.head_dim)
        turned = turns.turn(raw[:, : c.heads + c.kv_heads], 0)
        keys, values = turned[:, c.heads :], raw[:, c.heads + c.kv_heads :]
        queries = {0: turned[:, : c.heads]}

        def query(offset: int, start: int, stop: int) -> Tensor:
            if offset not in queries:
                queries[offset] = turns.turn(raw[:, : c.heads], offset)
            return queries[offset][start:stop]

        attended, start = [], 0
        for part in step.parts:  # in order of position: a later part sees what an earlier one wrote
            stop = start + len(part.positions)
            arena.write(index, part.row, keys[start:stop], values[start:stop])
            part_query = partial(query, start=start, stop=stop)
            seen = pieces(step, part, arena, index)
            attended.append(attend(part_query, seen, self.scale, self.attention))
            start = stop
        merged = attended[0] if len(attended) == 1 else torch.cat(attended)
        return merged.reshape(len(hidden), c.heads * c.head_dim)

    def _activated(self, x: Tensor) -> Tensor:
        if not self.config.gated:
            return F.gelu(x, approximate="tanh")
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)


def pieces(step: Step, part: Part, arena: Arena, layer: int) -> list[Piece]:
    """What a part's tokens see in one layer: earlier keys whole, their own causally."""
    tokens, start = len(part.positions), part.positions.start
    seen_whole = start + 1 if tokens == 1 else start  # a single token sees itself like the others
    found = []
    for segment in step.visible:
        before = min(segment.length, seen_whole - segment.position)
        if before > 0:
            rows = segment.shared or arena
            keys, values = rows.read(layer, segment.start, segment.start + before)
            found.append(Piece(keys, values, segment.offset, causal=False))
    if tokens > 1:
        keys, values = arena.read(layer, part.row, part.row + tokens)
        found.append(Piece(keys, values, 0, causal=True))
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


def assemble(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    plan: KernelPlan,
    attention: PartialAttention,
) -> Transformer:
    """A transformer from what the store keeps (`kernels.stored`), with the kernels of `plan`."""
    built = linears(config, tensors, plan)
    return Transformer(config, tensors["embed.weight"], built, attention, plan.dtype)
