"""A trained exit (file.py) as it runs: one token, the model's own cache, the kernels of the model's
plan.
"""

from collections.abc import Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ....cache.pool import Arena
from ....cache.rope import turn
from ....cache.segment import Step
from ...nn.attention import attend
from ...nn.few_rows import Piece
from ...nn.kernels import LEVELS, KernelPlan, make
from ...nn.linear import Int8Weight, Linear, RmsNorm
from ...nn.transformer import Transformer
from .file import DISTANCES, EPSILON, ExitShape


class ExitBlock:
    """What `exit_training.student.Student` computes, for one token at a time. Keeps no state."""

    def __init__(
        self, shape: ExitShape, weights: Mapping[str, Tensor], plan: KernelPlan, model: Transformer
    ) -> None:
        self.shape = shape
        self._model = model
        self._norm = RmsNorm(torch.ones(shape.hidden, device=model.device).to(plan.dtype), EPSILON)
        self._distances = weights["distances"].to(model.device, plan.dtype)

        def linear(name: str, norm: RmsNorm | None = None) -> Linear:
            weight = weights[name].to(model.device)
            if plan.form in LEVELS:
                kernel = plan.buckets[0][1] if plan.buckets else plan.rest
                whole = Int8Weight.quantise(weight, LEVELS[plan.form])
                return make(kernel, whole, None, norm, plan.native)
            return make(plan.rest, weight.to(plan.dtype), None, norm)

        self._enter = linear("enter")
        self._query = linear("query", self._norm)
        self._out = linear("out")
        self._up = linear("up", self._norm)
        self._down = linear("down")

    def __call__(
        self, hidden: Tensor, top: Tensor, position: int, verified: int, step: Step, arena: Arena
    ) -> Tensor:
        """(1, hidden) for the model's last norm and head.

        `hidden` (1, hidden): after `shape.after` layers, of the token at `position`. `top`
        (hidden,): after all layers, of the token at `verified`. `step` shows the cache.
        """
        gap = position - verified
        entering = torch.cat((self._norm(hidden), self._norm(top[None])), dim=-1)
        x = self._enter(entering) + self._distances[min(gap, DISTANCES) - 1]
        x = self._out.add_to(x, self._attention(x, position, verified, step, arena))
        gate, up = self._up(x).chunk(2, dim=-1)
        return self._down.add_to(x, F.silu(gate).mul_(up))

    def _attention(
        self, x: Tensor, position: int, verified: int, step: Step, arena: Arena
    ) -> Tensor:
        s, model = self.shape, self._model
        query = self._query(x).view(1, s.heads, s.head_dim)

        def turned(offset: int) -> Tensor:
            at = position - offset
            return turn(query.float(), *model.table.rows(range(at, at + 1))).to(query.dtype)

        pieces = cached_until(verified, step, arena, s.attended, model.dtype)
        mixed = attend(partial(turned), pieces, model.scale, model.attention)
        return mixed.reshape(1, s.heads * s.head_dim)


def cached_until(
    last: int, step: Step, arena: Arena, layer: int, dtype: torch.dtype
) -> list[Piece]:
    """What one layer has cached of the tokens up to position `last`, which is included."""
    found = []
    for segment in step.visible:
        count = min(segment.length, last + 1 - segment.position)
        if count > 0:
            rows = arena.read(layer, segment.start, segment.start + count)
            keys, values = (stored.to(dtype) for stored in rows)
            found.append(Piece(keys, values, segment.offset, causal=False))
    return found
