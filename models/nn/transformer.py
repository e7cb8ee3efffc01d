"""The forward pass of a decoder-only transformer over a segmented KV cache.

`embed`, `run` and `logits` are apart so that a caller can run the first layers, look at what they
say, and go on with the rest (early exit and resume). Shapes are (tokens, features): one file, one
batch; several tokens at once are several queries of the same sequence.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ...cache.element import Element, Floats
from ...cache.pool import Arena
from ...cache.rope import RotaryTable
from ...cache.segment import Step
from .attention import PartialAttention
from .chunked_prefill import Stride
from .config import ModelConfig
from .kernels import KernelPlan, linears
from .linear import LateLinear, Linear
from .segment_attention import BySegments, Heads, SideBySide, StepAttention
from .staging import staged


@dataclass(frozen=True)
class Layer:
    """`qkv` and `up` begin with their norms, `out` and `down` end with the residual sum."""

    qkv: Linear
    out: Linear
    up: Linear
    down: Linear


class Shortcut(Protocol):
    """A quicker way for a few tokens, with the results of the long one up to rounding."""

    def takes(self, step: Step) -> bool: ...

    def run(self, hidden: Tensor, step: Step, arena: Arena, layers: range) -> Tensor: ...

    def attention(self, step: Step, arena: Arena) -> StepAttention | None:
        """A quick one for a step that is run together with others; None for the readable one."""
        ...

    def logits(self, hidden: Tensor) -> Tensor | None:
        """None for more tokens than it takes."""
        ...

    def prepare(self, cancelled: Callable[[], bool]) -> bool: ...


class Transformer:
    """One model's weights and its forward pass. Keeps no state between calls but rotary tables
    and what it learns of the device's speed."""

    def __init__(
        self,
        config: ModelConfig,
        embedding: Tensor,
        linears: Mapping[str, Linear],
        attention: PartialAttention,
        dtype: torch.dtype,
        shortcut: "Callable[[Transformer], Shortcut] | None" = None,
        element: Element | None = None,
    ):
        """`linears` by the names of `weight_names`; `dtype`: of hidden states, and of keys and
        values unless `element` says how they are kept; `shortcut`: makes one for this model."""
        self.config = config
        self.dtype = dtype
        self.element = element or Floats(dtype)
        self.attention = attention
        self.embedding = embedding  # (vocabulary, hidden)
        self.device = embedding.device
        self.table = RotaryTable(config.rope, self.device)
        self.scale = config.attention_scale * config.rope.attention_factor**2
        self.heads = Heads(config.heads, config.kv_heads, config.head_dim, self.scale)
        self.head = linears["head"]
        self.layers = [
            Layer(*(linears[f"layers.{n}.{name}"] for name in ("qkv", "out", "up", "down")))
            for n in range(config.layers)
        ]
        self.stride = Stride.of(self.device)
        self.shortcut = None if shortcut is None else shortcut(self)

    def new_arena(self, rows: int = 256) -> Arena:
        """An empty KV arena of this model's shape, with room for `rows` tokens."""
        c = self.config
        return Arena(c.layers, c.kv_heads, c.head_dim, self.element, self.table, rows)

    def settle(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Pack the kernels and record the passes that were left for later, until `cancelled`.
        Returns whether all of them are; results do not change."""
        for linear in self._late():
            if cancelled() or not linear.settle(cancelled):
                return False
        return self.shortcut is None or self.shortcut.prepare(cancelled)

    def kernels_to_pack(self) -> int:
        """How many linear layers still have the kernel that was ready at once."""
        return len(self._late())

    def _late(self) -> list[LateLinear]:
        each = [x for y in self.layers for x in (y.qkv, y.out, y.up, y.down)]
        late = [x for x in (*each, self.head) if isinstance(x, LateLinear)]
        return [x for x in late if x.make_late is not None]

    def ids(self, tokens: Sequence[int]) -> Tensor:
        """(tokens,) int64 on the device, without waiting for it."""
        return staged(tokens, self.device)

    def embed(self, tokens: Tensor) -> Tensor:
        """(tokens,) int64 -> (tokens, hidden)."""
        hidden = F.embedding(tokens, self.embedding).to(self.dtype)
        multiplier = self.config.embedding_multiplier
        return hidden if multiplier == 1.0 else hidden * multiplier

    def run(self, hidden: Tensor, step: Step, arena: Arena, layers: range | None = None) -> Tensor:
        """(tokens, hidden) -> (tokens, hidden) through `layers` (default: all of them).

        Writes the keys and values of every layer it runs to the arena's rows of `step.parts`.
        """
        layers = range(self.config.layers) if layers is None else layers
        if self.shortcut is not None and self.shortcut.takes(step):
            return self.shortcut.run(hidden, step, arena, layers)
        attention = BySegments(self.heads, self.table, step, arena, self.attention)
        return self.through(hidden, attention, layers)

    def run_together(self, hidden: Tensor, steps: Sequence[Step], arena: Arena) -> Tensor:
        """(tokens, hidden) -> (tokens, hidden) through all layers, the tokens of several steps one
        after the other: `run` of each, but the weights are read once. No step sees another's
        tokens, so they may stand at the same positions (branches of one text).
        """
        attentions = [self._attention(step, arena) for step in steps]
        together = SideBySide(attentions, [len(step) for step in steps])
        return self.through(hidden, together, range(self.config.layers))

    def _attention(self, step: Step, arena: Arena) -> StepAttention:
        quick = None if self.shortcut is None else self.shortcut.attention(step, arena)
        return quick or BySegments(self.heads, self.table, step, arena, self.attention)

    def through(self, hidden: Tensor, attention: StepAttention, layers: range) -> Tensor:
        """`run` with an attention that knows its step."""
        for index in layers:
            layer = self.layers[index]
            raw = layer.qkv(hidden).view(len(hidden), self.heads.projected, self.heads.head_dim)
            hidden = layer.out.add_to(hidden, attention(raw, index))
            hidden = layer.down.add_to(hidden, self._activated(layer.up(hidden)))
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """(tokens, hidden) of the last layer -> (tokens, vocabulary) float32."""
        quick = None if self.shortcut is None else self.shortcut.logits(hidden)
        return self.head_of(hidden) if quick is None else quick

    def head_of(self, hidden: Tensor) -> Tensor:
        """`logits`, the long way."""
        logits = self.head(hidden).float()
        scaling = self.config.logits_scaling
        return logits if scaling == 1.0 else logits / scaling

    def _activated(self, x: Tensor) -> Tensor:
        if not self.config.gated:
            return F.gelu(x, approximate="tanh")
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)


def assemble(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    plan: KernelPlan,
    attention: PartialAttention,
    shortcut: Callable[[Transformer], Shortcut] | None = None,
    element: Element | None = None,
) -> Transformer:
    """A transformer from what the store keeps (`kernels.stored`), with the kernels of `plan`."""
    built = linears(config, tensors, plan)
    embedding = tensors["embed.weight"]
    return Transformer(config, embedding, built, attention, plan.dtype, shortcut, element)
