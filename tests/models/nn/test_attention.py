"""Attention over a list of segments equals attention over one, however the keys were turned."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from keyturn.cache.rope import RotaryTable, plain_rope, turn, yarn_rope
from keyturn.models.nn.attention import attend, cpu_partial, readable_partial
from keyturn.models.nn.few_rows import Piece

HEAD_DIM, SCALE = 32, 32**-0.5


def reference(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Textbook causal attention over everything; the queries are the last tokens."""
    group = len(query) // len(keys)
    keys, values = keys.repeat_interleave(group, 0), values.repeat_interleave(group, 0)
    n, total = query.shape[1], keys.shape[1]
    visible = torch.ones(n, total, dtype=torch.bool).tril(total - n)
    scores = (query @ keys.transpose(1, 2) * SCALE).masked_fill(~visible, -torch.inf)
    return scores.softmax(-1) @ values


@pytest.mark.parametrize("partial", [cpu_partial, readable_partial], ids=lambda p: p.__name__)
@given(
    lengths=st.lists(st.integers(1, 20), max_size=5),
    offsets=st.lists(st.integers(-9, 40), min_size=5, max_size=5),
    queries=st.integers(1, 16),
    group=st.sampled_from([1, 2, 7]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_segments_with_offsets_give_what_one_turned_segment_gives(
    partial, lengths: list[int], offsets: list[int], queries: int, group: int, seed: int
) -> None:
    torch.manual_seed(seed)
    table = RotaryTable(plain_rope(HEAD_DIM, 1e4), torch.device("cpu"))
    total = sum(lengths) + queries
    keys, values = torch.randn(2, 2, total, HEAD_DIM)
    query = torch.randn(2 * group, queries, HEAD_DIM)
    own = range(total - queries, total)

    pieces, start = [], 0
    for length, offset in zip(lengths, offsets, strict=False):
        first = range(start - offset, start - offset + length)  # where these keys were turned for
        stored = turn(keys[:, start : start + length], *table.rows(first))
        pieces.append(Piece(stored, values[:, start : start + length], offset, causal=False))
        start += length
    stored = turn(keys[:, start:], *table.rows(own))
    pieces.append(Piece(stored, values[:, start:], 0, causal=True))

    def turned(offset: int) -> Tensor:
        rows = table.rows(range(own.start - offset, own.stop - offset))
        return turn(query, *rows).transpose(0, 1).contiguous()

    expected = reference(turned(0).transpose(0, 1), turn(keys, *table.rows(range(total))), values)
    assert_close(
        attend(turned, pieces, SCALE, partial).transpose(0, 1), expected, atol=2e-5, rtol=1e-4
    )


def test_turning_twice_is_turning_once_by_the_sum_even_under_yarn() -> None:
    table = RotaryTable(yarn_rope(HEAD_DIM, 1e4, 4.0, 64), torch.device("cpu"), torch.float64)
    x = torch.randn(3, 1, HEAD_DIM, dtype=torch.float64)
    twice = turn(turn(x, *table.rows(range(40, 41))), *table.rows(range(-17, -16)))
    assert_close(twice, turn(x, *table.rows(range(23, 24))), atol=1e-12, rtol=0)


def test_scattered_positions_and_a_range_read_the_same_rows() -> None:
    table = RotaryTable(plain_rope(HEAD_DIM, 1e4), torch.device("cpu"))
    cos, sin = table.rows(torch.tensor([3000, -5, 7]))
    for row, position in enumerate((3000, -5, 7)):
        expected_cos, expected_sin = table.rows(range(position, position + 1))
        assert_close(cos[row], expected_cos[0], atol=0, rtol=0)
        assert_close(sin[row], expected_sin[0], atol=0, rtol=0)


@pytest.mark.parametrize("group", [1, 2, 7])
@pytest.mark.parametrize("queries", [2, 5, 8, 17])
@pytest.mark.parametrize("earlier", [0, 3, 30, 64, 200])  # keys in a segment of their own
def test_a_few_queries_get_bit_for_bit_what_each_gets_alone(
    queries: int, earlier: int, group: int
) -> None:
    before = [earlier] if earlier else []
    for first in (1, 7, 19, 40, 60, 125, 187, 191, 300, 383, 511, 575, 1100, 2498):
        torch.manual_seed(first)
        keys, values = torch.randn(2, 2, earlier + first + queries, 64)
        query = torch.randn(queries, 2 * group, 64)
        together = attended(query, keys, values, before)
        for row in range(queries):
            seen = earlier + first + row + 1
            alone = attended(query[row : row + 1], keys[:, :seen], values[:, :seen], before)
            assert torch.equal(together[row], alone[0]), (first, row)


@pytest.mark.parametrize(("kv_heads", "head_dim"), [(1, 32), (1, 64), (2, 32), (2, 128), (8, 80)])
def test_whatever_the_shape_of_a_model_a_row_gets_what_it_gets_alone(
    kv_heads: int, head_dim: int
) -> None:
    """Pieces of any length, also such as leave one to three keys behind a cut."""
    draw = random.Random(0)
    for _ in range(40):
        tokens, group = draw.randint(2, 17), draw.choice([1, 3, 4, 6])
        earlier = [192 * draw.randint(0, 5) + draw.randint(1, 5) for _ in range(draw.randint(0, 2))]
        own = draw.randint(tokens, 1300)
        heads = kv_heads * group
        query = torch.randn(tokens, heads, head_dim)
        keys, values = torch.randn(2, kv_heads, sum(earlier) + own, head_dim)

        together = attended(query, keys, values, earlier)
        for row in range(tokens):
            seen = sum(earlier) + own - tokens + row + 1
            alone = attended(query[row : row + 1], keys[:, :seen], values[:, :seen], earlier)
            assert torch.equal(together[row], alone[0]), (tokens, group, earlier, own, row)


def attended(query: Tensor, keys: Tensor, values: Tensor, earlier: list[int]) -> Tensor:
    """Over pieces of so many keys, turned for another place, and a causal one of the rest."""
    lengths = [*earlier, keys.shape[1] - sum(earlier)]
    pieces = [
        Piece(k, v, 5, causal=False)
        for k, v in zip(keys.split(lengths, 1), values.split(lengths, 1), strict=True)
    ]
    pieces[-1] = pieces[-1]._replace(offset=0, causal=True)
    return attend(lambda offset: query + offset, pieces, SCALE, cpu_partial)


def test_the_attention_of_many_queries_agrees_with_the_readable_one() -> None:
    keys, values = torch.randn(2, 2, 100, 64)
    query = torch.randn(40, 14, 64)
    found = cpu_partial(query, keys[:, :40], values[:, :40], True, SCALE)
    expected = readable_partial(query, keys[:, :40], values[:, :40], True, SCALE)
    assert_close(found.out, expected.out, atol=1e-5, rtol=1e-5)
    assert_close(found.lse, expected.lse, atol=1e-5, rtol=1e-5)
    found = cpu_partial(query, keys, values, False, SCALE)
    expected = readable_partial(query, keys, values, False, SCALE)
    assert_close(found.out, expected.out, atol=1e-5, rtol=1e-5)
    assert_close(found.lse, expected.lse, atol=1e-5, rtol=1e-5)
