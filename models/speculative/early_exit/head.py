"""The model's own head cut to some rows: what an exit guesses with, at a fraction of the cost.

On a small model the head is as much work as several layers (151,936 rows of the 0.5B: nine), and
most of it is spent on tokens that hardly occur in code. Draft tokens come from the `ids` alone,
which loses nothing but guesses (FR-Spec, arXiv 2502.14856).
"""

from torch import Tensor

from ...nn.cpu.stored_linear import StoredLinear
from ...nn.linear import BucketedLinear, FloatLinear, Int8Linear, LateLinear, Linear, Norm


def cut(head: Linear, ids: Tensor) -> Linear:
    """The same kernel for the rows `ids` (rows,) of its output."""
    match head:
        case LateLinear():
            return cut(head.current, ids)
        case BucketedLinear():
            return BucketedLinear([(n, cut(h, ids)) for n, h in head.buckets], cut(head.rest, ids))
        case FloatLinear():
            bias = None if head.bias is None else head.bias[ids]
            return FloatLinear(head.weight[ids], bias, head.norm)
        case Int8Linear():
            weight = head.product.weight
            rows = weight.rows(ids)
            bias = None if head.bias is None else head.bias[ids]
            return Int8Linear(type(head.product)(rows), len(ids), bias, head.norm)
        case StoredLinear():
            bias = None if head.bias is None else head.bias[ids]
            return StoredLinear(head.weight.rows(ids), bias, head.norm, head.native)
    raise AssertionError(type(head))


def floats(head: Linear, ids: Tensor) -> tuple[Norm | None, Tensor]:
    """The norm in front of a head, and the rows `ids` of its weight in float32 (rows, hidden)."""
    match head:
        case LateLinear():
            return floats(head.current, ids)
        case BucketedLinear():
            return floats(head.rest, ids)
        case FloatLinear():
            return head.norm, head.weight[ids].float()
        case Int8Linear():
            weight = head.product.weight
            return head.norm, weight.rows(ids).dequantise()
        case StoredLinear():
            return head.norm, head.weight.rows(ids).dequantise()
    raise AssertionError(type(head))


def most_frequent(counts: Tensor, rows: int) -> Tensor:
    """Ids of the `rows` most frequent tokens, ascending; `counts` (vocabulary,)."""
    return counts.topk(min(rows, len(counts))).indices.sort().values
