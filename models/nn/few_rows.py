"""Attention of a few float32 queries over cached segments: each row bit for bit what it is alone.

That makes verifying several tokens at once say what single steps say. int8 activations round the
last bit of a difference here up to half a logit, so "nearly" is not enough.

What a row adds up must not depend on how many rows there are, or on keys that it does not see.
Such keys weigh exactly nothing, and products are cut at the same keys for all (`_weighed`). Whether
that is enough depends on the processor and its library, so it is tried (`rows_agree`): where it is
not, every row is attended to alone. So is a row that would share a product with too few rows or
keys, which goes through kernels of its own.
"""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

FEW_ROWS = 32  # queries
FEW_KEYS = 64  # of the last piece
LEAST_FOLDED = 4  # rows of a product
LEAST_KEYS = 4  # columns of one, and what it adds up
SUMMED_KEYS = 192  # added up in one go by every processor on which rows agree

TRIED_ROWS = (2, 5, 7, 8, 11, 17)  # libraries cut rows in fours and eights, and among threads
TRIED_KEYS = (69, 187, 197, 300, 511, 1100, 1233)
TRIED_EARLIER = (0, 30)


class Piece(NamedTuple):
    """Keys and values of one segment in one layer, (kv_heads, tokens, head_dim)."""

    keys: Tensor
    values: Tensor
    offset: int
    causal: bool  # True: the last keys are the queries' own; False: all are before the queries


def attend_by_rows(
    turned: Callable[[int], Tensor], pieces: Sequence[Piece], scale: float
) -> Tensor:
    """Attention of the queries `turned(offset)`, (tokens, heads, head_dim), over every piece, of
    which only the last may be causal. Returns (tokens, heads, head_dim)."""
    queries = [turned(p.offset) for p in pieces]
    tokens, heads, head_dim = queries[0].shape
    if tokens == 1:
        return _single(queries, pieces, scale)
    kv_heads, threads = len(pieces[0].keys), torch.get_num_threads()
    if _alike(tokens, heads, pieces) and rows_agree(heads, kv_heads, head_dim, threads):
        return _together(queries, pieces, scale)
    return torch.cat([_alone(queries, pieces, row, scale) for row in range(tokens)])


@cache
@torch.inference_mode()
def rows_agree(heads: int, kv_heads: int, head_dim: int, threads: int) -> bool:
    """Whether rows that share a product get what each gets alone, on this processor with so many
    `threads`, for so many heads. Tried on numbers of our own, once."""
    random = torch.Generator().manual_seed(0)
    for tokens, first, earlier in product(TRIED_ROWS, TRIED_KEYS, TRIED_EARLIER):
        rows = torch.randn(tokens, heads, head_dim, generator=random)
        shape = (2, kv_heads, earlier + first + tokens, head_dim)
        keys, values = torch.randn(shape, generator=random)
        pieces = [Piece(keys[:, earlier:], values[:, earlier:], 0, causal=True)]
        if earlier:
            pieces.insert(0, Piece(keys[:, :earlier], values[:, :earlier], 0, causal=False))
        if not _alike(tokens, heads, pieces):
            continue
        queries = [rows] * len(pieces)
        together = _together(queries, pieces, 1.0)
        for row in range(tokens):
            if not torch.equal(together[row], _alone(queries, pieces, row, 1.0)[0]):
                return False
    return True


def _alike(tokens: int, heads: int, pieces: Sequence[Piece]) -> bool:
    """Whether several rows go through the kernels that each would go through alone, and are cut at
    the same keys."""
    last = pieces[-1]
    own = last.keys.shape[1]  # as many as the last row sees of them
    fewest = own - tokens + 1 if last.causal else own
    lengths = [piece.keys.shape[1] for piece in (pieces[:-1] if last.causal else pieces)]
    return (
        tokens * heads >= LEAST_FOLDED * len(last.keys)
        and own >= FEW_KEYS + tokens
        and all(n - _whole(n) >= LEAST_KEYS or n == _whole(n) > 0 for n in lengths)
        and (not last.causal or fewest - _whole(own) >= LEAST_KEYS)
    )


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

    How many keys a product adds up before it begins anew depends on the processor, and on how many
    there are: keys of weight zero at the end would change the order of the others. So the last keys
    have a product of their own, too short to begin anew.
    """
    whole = _whole(values.shape[1])
    if whole in (0, values.shape[1]):
        return weights @ values
    return weights[..., :whole] @ values[:, :whole] + weights[..., whole:] @ values[:, whole:]


def _whole(keys: int) -> int:
    """How many of them come before those with a product of their own."""
    return keys - keys % SUMMED_KEYS
