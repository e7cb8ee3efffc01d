"""Attention over a list of cached segments: one partial per segment, merged by log-sum-exp.

Each segment's keys stay turned for the position they were first given; the query is turned for
`position - offset` instead, once per distinct offset: turn the query, not the keys.
Partials (out_i, lse_i) over disjoint keys merge exactly: with w_i = exp(lse_i - logsumexp(lse)),
out = sum of w_i * out_i (FlashAttention, arXiv 2205.14135, section 3.1).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from .few_rows import FEW_ROWS, Piece, attend_by_rows


class Partial(NamedTuple):
    out: Tensor  # (tokens, heads, head_dim)
    lse: Tensor  # (tokens, heads) float32


class PartialAttention(Protocol):
    def __call__(
        self, query: Tensor, keys: Tensor, values: Tensor, causal: bool, scale: float, /
    ) -> Partial:
        """Softmax attention of `query` (tokens, heads, head_dim) over one piece."""
        ...


def attend(
    turned: Callable[[int], Tensor],
    pieces: Sequence[Piece],
    scale: float,
    partial: PartialAttention,
) -> Tensor:
    """Attention over every piece. `turned(offset)` is the query (tokens, heads, head_dim) turned
    for `position - offset`. Returns (tokens, heads, head_dim)."""
    if by_rows(partial, turned(pieces[0].offset)):
        return attend_by_rows(turned, pieces, scale)
    return merge([partial(turned(p.offset), p.keys, p.values, p.causal, scale) for p in pieces])


def by_rows(partial: PartialAttention, query: Tensor) -> bool:
    """Whether `attend` takes these queries row by row, each as if it were alone."""
    return partial is cpu_partial and len(query) <= FEW_ROWS and query.dtype == torch.float32


def merge(partials: Sequence[Partial]) -> Tensor:
    if len(partials) == 1:
        return partials[0].out
    weights = torch.stack([p.lse for p in partials]).softmax(dim=0).unsqueeze(-1)
    outs = torch.stack([p.out for p in partials])
    return (outs * weights.to(outs.dtype)).sum(dim=0)


def readable_partial(
    query: Tensor, keys: Tensor, values: Tensor, causal: bool, scale: float
) -> Partial:
    """The specification: plain products and a softmax, in float32."""
    tokens, heads, _ = query.shape
    group = heads // len(keys)
    keys, values = (x.float().repeat_interleave(group, dim=0) for x in (keys, values))
    scores = query.float().transpose(0, 1) @ keys.transpose(1, 2) * scale
    if causal:
        later = torch.ones(scores.shape[1:], dtype=torch.bool, device=query.device)
        later = later.triu(1 + scores.shape[2] - tokens)
        scores = scores.masked_fill(later, float("-inf"))
    lse = scores.logsumexp(dim=-1)
    out = (scores - lse.unsqueeze(-1)).exp() @ values
    return Partial(out.transpose(0, 1).to(query.dtype), lse.transpose(0, 1))


def cpu_partial(query: Tensor, keys: Tensor, values: Tensor, causal: bool, scale: float) -> Partial:
    """For CPUs: torch's flash attention."""

    def kernel(*qkv: Tensor) -> tuple[Tensor, Tensor]:
        return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            *qkv, 0.0, causal, attn_mask=None, scale=scale
        )

    return _by_kernel(kernel, query, keys, values, causal)


def cuda_partial(
    query: Tensor, keys: Tensor, values: Tensor, causal: bool, scale: float
) -> Partial:
    """torch's flash attention for CUDA, in half precision.

    The public `scaled_dot_product_attention` does not return the log-sum-exp; this operator under
    it does, on either device.
    """

    def kernel(*qkv: Tensor) -> tuple[Tensor, Tensor]:
        out, lse, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
            *qkv, 0.0, causal, scale=scale
        )
        return out, lse

    return _by_kernel(kernel, query, keys, values, causal)


def _by_kernel(
    kernel: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]],
    query: Tensor,
    keys: Tensor,
    values: Tensor,
    causal: bool,
) -> Partial:
    """By a kernel of (1, heads, tokens, head_dim) that gives the same and (1, heads, tokens).

    Without a mask the query heads that share a key head are folded into more query rows, so that
    keys and values are read once; with one, keys and values are repeated per query head.
    """
    tokens, heads, head_dim = query.shape
    if causal:
        keys, values = (x.repeat_interleave(heads // len(keys), dim=0) for x in (keys, values))
        folded = query.transpose(0, 1)
    else:
        folded = _folded(query, len(keys))
    out, lse = kernel(folded[None], keys[None], values[None])
    # The kernel returns `out` as (1, rows, heads, head_dim) seen through a transpose.
    out = out[0].reshape(heads, tokens, head_dim).transpose(0, 1)
    return Partial(out, lse[0].reshape(heads, tokens).transpose(0, 1))


def _folded(query: Tensor, kv_heads: int) -> Tensor:
    """(tokens, heads, head_dim) -> (kv_heads, group * tokens, head_dim)."""
    tokens, heads, head_dim = query.shape
    group = heads // kv_heads
    folded = query.reshape(tokens, kv_heads, group, head_dim).permute(1, 2, 0, 3)
    return folded.reshape(kv_heads, group * tokens, head_dim)


def by_flash(attend: Callable[..., tuple[Tensor, ...]], **wanted: bool) -> PartialAttention:
    """A partial by flash-attn's `flash_attn_func`, of version 2 or 4: q, k, v (batch, tokens,
    heads, head_dim) in half precision -> out, log-sum-exp (batch, heads, tokens) float32, …
    `wanted` is how that version is asked for the log-sum-exp."""

    def partial(query: Tensor, keys: Tensor, values: Tensor, causal: bool, scale: float) -> Partial:
        tokens, heads, head_dim = query.shape
        rows = query if causal else _folded(query, len(keys)).transpose(0, 1)
        out, lse, *_ = attend(
            rows[None],
            keys.transpose(0, 1)[None],
            values.transpose(0, 1)[None],
            softmax_scale=scale,
            causal=causal,
            **wanted,
        )
        if causal:
            return Partial(out[0], lse[0].transpose(0, 1))
        out = out[0].transpose(0, 1).reshape(heads, tokens, head_dim).transpose(0, 1)
        return Partial(out, lse[0].reshape(heads, tokens).transpose(0, 1))

    return partial
