"""The forward pass of a decoder-only transformer over a segmented KV cache.

`embed`, `run` and `logits` are apart so that a caller can run the first layers, look at what they
say, and go on with the rest (early exit and resume). Shapes are (tokens, features): one file, one
batch; several tokens at once are several queries of the same sequence.
"""

from collections.abc import Callable, Mapping
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
from .linear import Linear

Norm = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Layer:
    norm_in: Norm
    qkv: Linear
    out: Linear
    norm_mlp: Norm
    up: Linear
    down: Linear


class Transformer:
    """One model's weights and its forward pass. Keeps no state between calls but rotary tables."""

    def __init__(
        self,
        config: ModelConfig,
        tensors: Mapping[str, Tensor],
        linears: Mapping[str, Linear],
        attention: PartialAttention,
        dtype: torch.dtype,
    ):
        """`tensors`: embedding and norms, `linears`: the rest, both by the names of `layout`.
        `dtype`: of the hidden states, keys and values."""

        def norm(name: str) -> Norm:
            weight, bias = tensors[f"{name}.weight"], tensors.get(f"{name}.bias")
            if config.norm == "layer":
                return LayerNorm(weight.to(dtype), None if bias is None else bias.to(dtype), config)
            return RmsNorm(weight.to(dtype), config.norm_eps)

        self.config = config
        self.dtype = dtype
        self.attention = attention
        self.embedding = tensors["embed.weight"]
        self.device = self.embedding.device
        self.table = RotaryTable(config.rope, self.device)
        self.scale = config.attention_scale * config.rope.attention_factor**2
        self.final_norm = norm("norm")
        self.head = linears["head"]
        self.layers = [
            Layer(
                norm(f"layers.{n}.norm_in"),
                linears[f"layers.{n}.qkv"],
                linears[f"layers.{n}.out"],
                norm(f"layers.{n}.norm_mlp"),
                linears[f"layers.{n}.up"],
                linears[f"layers.{n}.down"],
            )
            for n in range(config.layers)
        ]

    def new_arena(self) -> Arena:
        """An empty KV arena of this model's shape and dtype."""
        c = self.config
        return Arena(c.layers, c.kv_heads, c.head_dim, self.dtype, self.table)

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
        residual = self.config.residual_multiplier
        for index in layers or range(self.config.layers):
            layer = self.layers[index]
            attended = self._attention(layer, layer.norm_in(hidden), index, step, arena, turns)
            hidden = torch.add(hidden, attended, alpha=residual)
            mixed = layer.down(self._activated(layer.up(layer.norm_mlp(hidden))))
            hidden = torch.add(hidden, mixed, alpha=residual)
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """(tokens, hidden) of the last layer -> (tokens, vocabulary) float32."""
        logits = self.head(self.final_norm(hidden)).float()
        scaling = self.config.logits_scaling
        return logits if scaling == 1.0 else logits / scaling

    def _attention(
        self, layer: Layer, x: Tensor, index: int, step: Step, arena: Arena, turns: "Turns"
    ) -> Tensor:
        c = self.config
        heads = layer.qkv(x).view(len(x), c.heads + 2 * c.kv_heads, c.head_dim).transpose(0, 1)
        raw, values = heads[: c.heads + c.kv_heads], heads[c.heads + c.kv_heads :]
        turned = turns.turn(raw, 0)
        queries = {0: turned[: c.heads]}

        def query(offset: int, start: int, stop: int) -> Tensor:
            if offset not in queries:
                queries[offset] = turns.turn(raw[: c.heads], offset)
            return queries[offset][:, start:stop]

        attended, start = [], 0
        for part in step.parts:  # in order of position: a later part sees what an earlier one wrote
            stop = start + len(part.positions)
            arena.write(index, part.row, turned[c.heads :, start:stop], values[:, start:stop])
            turned_query = partial(query, start=start, stop=stop)
            seen = pieces(step, part, arena, index)
            attended.append(attend(turned_query, seen, self.scale, self.attention))
            start = stop
        merged = attended[0] if len(attended) == 1 else torch.cat(attended, dim=1)
        return layer.out(merged.transpose(0, 1).reshape(len(x), c.heads * c.head_dim))

    def _activated(self, x: Tensor) -> Tensor:
        if not self.config.gated:
            return F.gelu(x, approximate="tanh")
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)


def pieces(step: Step, part: Part, arena: Arena, layer: int) -> list[Piece]:
    """What a part's tokens see in one layer: earlier keys whole, their own causally."""
    start = part.positions.start
    found = []
    for segment in step.visible:
        before = min(segment.length, start - segment.position)
        if before > 0:
            rows = segment.shared or arena
            keys, values = rows.read(layer, segment.start, segment.start + before)
            found.append(Piece(keys, values, segment.offset, causal=False))
    own = arena.read(layer, part.row, part.row + len(part.positions))
    found.append(Piece(*own, offset=0, causal=True))
    return found


class Turns:
    """The angles of one step's queries, looked up once per distinct segment offset."""

    def __init__(self, table: RotaryTable, step: Step):
        self.table = table
        self.positions = [part.positions for part in step.parts]
        self.angles: dict[int, tuple[Tensor, Tensor]] = {}

    def turn(self, x: Tensor, offset: int) -> Tensor:
        """Turn `x` (heads, tokens, head_dim) for `position - offset`, in float32."""
        if offset not in self.angles:
            spans = [range(p.start - offset, p.stop - offset) for p in self.positions]
            angles = [self.table.rows(span) for span in spans]
            cos, sin = (torch.cat(halves) for halves in zip(*angles, strict=True))
            self.angles[offset] = (cos, sin)
        return turn(x.float(), *self.angles[offset]).to(x.dtype)


class RmsNorm:
    def __init__(self, weight: Tensor, eps: float):
        self.weight, self.eps = weight, eps

    def __call__(self, x: Tensor) -> Tensor:
        """(tokens, hidden) -> same; the mean square in float32."""
        wide = x.float()
        scale = wide.square().mean(dim=-1, keepdim=True).add_(self.eps).rsqrt_()
        return (wide * scale).to(x.dtype).mul_(self.weight)


class LayerNorm:
    def __init__(self, weight: Tensor, bias: Tensor | None, config: ModelConfig):
        self.weight, self.bias, self.eps = weight, bias, config.norm_eps

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


def assemble(
    config: ModelConfig, tensors: Mapping[str, Tensor], plan: KernelPlan, partial: PartialAttention
) -> Transformer:
    """A transformer from what the store keeps (`kernels.stored`), with the kernels of `plan`."""
    return Transformer(config, tensors, linears(config, tensors, plan), partial, plan.dtype)
