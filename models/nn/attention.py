"""Attention over a list of cached segments: one partial per segment, merged by log-sum-exp.

Each segment's keys stay turned for the position they were first given; the query is turned for
`position - offset` instead, once per distinct offset (design: "turn the query, not the keys").
Partials (out_i, lse_i) over disjoint keys merge exactly: with w_i = exp(lse_i - logsumexp(lse)),
out = sum of w_i * out_i (FlashAttention, arXiv 2205.14135, section 3.1).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

FEW_ROWS = 32  # queries
FEW_KEYS = 64  # of the last piece; products with fewer go through kernels of their own
LEAST_FOLDED = 4  # rows of a product; so do those
SUMMED_KEYS = 192


class Piece(NamedTuple):
    """Keys and values of one segment in one layer, (kv_heads, tokens, head_dim)."""

    keys: Tensor
    values: Tensor
    offset: int
    causal: bool  # True: the last keys are the queries' own; False: all are before the queries


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


def by_rows(partial: PartialAttention, query: Tensor) -> bool:
    """Whether `attend` takes these queries row by row, each as if it were alone."""
    return partial is cpu_partial and len(query) <= FEW_ROWS and query.dtype == torch.float32


def attend_by_rows(
    turned: Callable[[int], Tensor], pieces: Sequence[Piece], scale: float
) -> Tensor:
    """For a few queries in float32: each row's result is bit for bit what it is alone.

    That makes verifying several tokens at once say what single steps say. int8 activations round
    the last bit of a difference here up to half a logit, so "nearly" is not enough. What a row
    adds up must not depend on how many rows there are, or on keys that it does not see: those
    weigh exactly nothing, and products are cut where the kernel would cut them by their length.
    Small products go through other kernels, by their shape: among few keys every row is attended
    to alone, and what is too few rows for a key head is repeated. Of the pieces only the last may
    be causal.
    """
    queries = [turned(p.offset) for p in pieces]
    tokens, heads, _ = queries[0].shape
    folded = tokens * heads // len(pieces[0].keys)  # rows of a key head's product
    own = pieces[-1].keys.shape[1]  # as many as each row sees of them differs from row to row
    small = folded < LEAST_FOLDED or own < FEW_KEYS + tokens
    if tokens > 1 and small:
        return torch.cat([_alone(queries, pieces, row, scale) for row in range(tokens)])
    return _single(queries, pieces, scale) if tokens == 1 else _together(queries, pieces, scale)


def _alone(queries: Sequence[Tensor], pieces: Sequence[Piece], row: int, scale: float) -> Tensor:
    """One of several rows, with the keys that it sees: (1, heads, head_dim)."""
    *earlier, last = pieces
    if last.causal:
        seen = last.keys.shape[1] - len(queries[0]) + row + 1
        last = last._replace(keys=last.keys[:, :seen], values=last.values[:, :seen])
    own = [query[row : row + 1] for query in queries]
    return _single(own, [*earlier, last], scale)


def _single(queries: Sequence[Tensor], pieces: Sequence[Piece], scale: float) -> Tensor:
    """A single row, repeated where it is too few for a product: (1, heads, head_dim)."""
    folded = queries[0].shape[1] // len(pieces[0].keys)
    copies = [query.expand(-(-LEAST_FOLDED // folded), -1, -1) for query in queries]
    return _together(copies, [p._replace(causal=False) for p in pieces], scale)[:1]


def _together(queries: Sequence[Tensor], pieces: Sequence[Piece], scale: float) -> Tensor:
    """All rows in the same products."""
    tokens, heads, head_dim = queries[0].shape
    kv_heads = len(pieces[0].keys)
    group = heads // kv_heads
    each = [
        _folded_rows(query * scale, kv_heads) @ piece.keys.transpose(1, 2)
        for query, piece in zip(queries, pieces, strict=True)
    ]  # (kv_heads, tokens * group, keys)
    scores = each[0] if len(each) == 1 else torch.cat(each, dim=-1)
    if tokens > 1 and pieces[-1].causal:
        later = torch.ones(tokens, tokens, dtype=torch.bool, device=scores.device).triu(1)
        own = scores.view(kv_heads, tokens, group, -1)[..., -tokens:]
        own.masked_fill_(later[:, None], float("-inf"))
    weights = scores.softmax(dim=-1)
    if len(pieces) == 1:
        out = _weighed(weights, pieces[0].values)
    else:
        parts = weights.split([p.values.shape[1] for p in pieces], dim=-1)
        out = _weighed(parts[0], pieces[0].values)
        for part, piece in zip(parts[1:], pieces[1:], strict=True):
            out += _weighed(part, piece.values)
    return out.view(kv_heads, tokens, group, head_dim).transpose(0, 1).reshape(queries[0].shape)


def _folded_rows(query: Tensor, kv_heads: int) -> Tensor:
    """(tokens, heads, head_dim) -> (kv_heads, tokens * group, head_dim), by token."""
    tokens, _, head_dim = query.shape
    rows = query.view(tokens, kv_heads, -1, head_dim).transpose(0, 1)
    return rows.reshape(kv_heads, -1, head_dim)


def _weighed(weights: Tensor, values: Tensor) -> Tensor:
    """(kv_heads, rows, keys) and (kv_heads, keys, head_dim) -> (kv_heads, rows, head_dim).

    MKL adds up 192 keys at a time, but halves what is between one and two times that: there, keys
    of weight zero at the end would change the order of the others.
    """
    if SUMMED_KEYS < values.shape[1] < 2 * SUMMED_KEYS:
        first = weights[..., :SUMMED_KEYS] @ values[:, :SUMMED_KEYS]
        return first + weights[..., SUMMED_KEYS:] @ values[:, SUMMED_KEYS:]
    return weights @ values


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
