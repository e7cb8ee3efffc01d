"""A trial of freshly compiled kernels against the readable ones, on numbers of our own.

What they are compiled with has been seen to make wrong code of right kernels, for one processor and
one shape. (The sums of int8 products are tried by `exactness.exact`.)
"""

from itertools import product

import torch
from torch import Tensor

from ....cache.element import Codes, Floats
from ....cache.pool import Arena
from ....cache.rope import RotaryTable, plain_rope
from ....cache.segment import Part, Segment, Step
from ..attention import Partial, PartialAttention, readable_partial
from ..segment_attention import BySegments, Heads
from .launch import BLOCK_KEYS, UNIT_KEYS
from .native import Native
from .step_attention import ByUnits

TRIED_HEADS = (Heads(14, 2, 64, 0.125), Heads(12, 2, 128, 128**-0.5), Heads(4, 4, 96, 96**-0.5))
TRIED_TOKENS = (1, 2, 3, 9, 40)  # half a tile of queries, a whole one, and more
TRIED_KEYS = (3, BLOCK_KEYS - 1, 2 * BLOCK_KEYS, UNIT_KEYS + 5)
TOLERANCES = {"float32": 1e-4, "int8": 5e-2}


@torch.inference_mode()
def sound(native: Native) -> bool:
    """Whether attention is what it should be, up to rounding."""
    tried = product(TRIED_HEADS, TRIED_TOKENS, TRIED_KEYS, TOLERANCES)
    return all(_as_readable(native, *case) for case in tried)


def _as_readable(native: Native, heads: Heads, tokens: int, keys: int, element: str) -> bool:
    if not native.code.address(f"attend {element}"):
        return True
    random = torch.Generator().manual_seed(tokens * keys)
    table = RotaryTable(plain_rope(heads.head_dim, 1e4), torch.device("cpu"))
    shape = (1, heads.kv_heads, heads.head_dim)
    kind, partial = Floats(torch.float32), readable_partial
    if element == "int8":
        kind = Codes(torch.ones(shape))
        partial = by_rounded_queries(native.processor.query_codes, kind.factors[0])
    arena = Arena(*shape, kind, table, keys + tokens)
    noise = torch.randn(2, keys, *shape[1:], generator=random)
    arena.write(0, 0, *noise)
    visible = (Segment(0, keys, -7, 7), Segment(keys, tokens, keys))
    step = Step((Part(range(keys, keys + tokens), keys),), visible)
    raw = torch.randn(tokens, heads.projected, heads.head_dim, generator=random)
    found = ByUnits(heads, table, step, arena, native)(raw, 0)
    right = BySegments(heads, table, step, arena, partial)(raw, 0)
    tolerance = TOLERANCES[element]
    return torch.allclose(found, right, atol=tolerance, rtol=tolerance)


def by_rounded_queries(largest: int, factors: Tensor) -> PartialAttention:
    """The readable partial for queries rounded as our kernel does it: codes up to `largest`, with a
    step for each query and head. `factors` (kv_heads, head_dim): what channels are multiplied by
    first. What is left is how the kernel rounds weights, to some thousandths of the largest."""

    def partial(query: Tensor, keys: Tensor, values: Tensor, causal: bool, scale: float) -> Partial:
        by = scale * factors.repeat_interleave(query.shape[1] // len(factors), dim=0)
        x = query * by
        step = x.abs().amax(dim=-1, keepdim=True) / largest
        rounded = torch.where(step == 0, 0, (x / step).round() * step / by)
        return readable_partial(rounded, keys, values, causal, scale)

    return partial
