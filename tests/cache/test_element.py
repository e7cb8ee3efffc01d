"""Rows of an arena in eight bits: what is read is what was written, up to half a code."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from keyturn.cache.element import CODES, Codes
from keyturn.cache.pool import Arena
from keyturn.cache.quantised import QuantisedRows
from keyturn.cache.rope import RotaryTable, plain_rope
from keyturn.cache.sequence import CachedSequence
from keyturn.cache.spill import HostSpill

SHAPE = LAYERS, KV_HEADS, HEAD_DIM = 2, 3, 32
TABLE = RotaryTable(plain_rope(HEAD_DIM, 1e4), torch.device("cpu"))
TOKENS = 20
HALF_A_CODE = 0.504  # a step is rounded up to bfloat16


def factors(seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    half = torch.rand(LAYERS, KV_HEADS, HEAD_DIM // 2, generator=draw) * 4 + 0.1
    return torch.cat((half, half), dim=2)


def filled(scale: float = 1.0, seed: int = 0) -> tuple[Arena, Tensor, Tensor]:
    """An arena, and the keys and values (layers, tokens, kv_heads, head_dim) written to it."""
    arena = Arena(*SHAPE, Codes(factors(seed)), TABLE, TOKENS)
    draw = torch.Generator().manual_seed(seed)
    keys, values = scale * torch.randn(2, LAYERS, TOKENS, KV_HEADS, HEAD_DIM, generator=draw)
    for layer in range(LAYERS):
        arena.write(layer, 0, keys[layer], values[layer])
    return arena, keys, values


def largest(x: Tensor) -> Tensor:
    return x.abs().amax(dim=-1, keepdim=True)


@given(st.integers(0, 2**16), st.floats(1e-30, 1e18))
def test_nothing_is_off_by_more_than_half_a_code_of_its_row(seed: int, scale: float) -> None:
    arena, keys, values = filled(scale, seed)
    for layer in range(LAYERS):
        found_keys, found_values = (rows.transpose(0, 1) for rows in arena.read(layer, 0, TOKENS))
        step = 1.004 * largest(values[layer]) / CODES
        assert ((found_values - values[layer]).abs() <= HALF_A_CODE * step).all()
        by = factors(seed)[layer]
        step = 1.004 * largest(keys[layer] / by) / CODES
        assert ((found_keys - keys[layer]).abs() <= HALF_A_CODE * step * by).all()


def test_a_row_takes_a_byte_for_each_channel_and_two_for_its_step() -> None:
    arena, *_ = filled()
    assert arena.bytes_per_row == 2 * LAYERS * KV_HEADS * (HEAD_DIM + 2)
    assert arena.nbytes == arena.keys.nbytes + arena.values.nbytes


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf, 3e38, -3e38])
def test_what_is_no_number_or_huge_leaves_numbers_and_the_other_rows(bad: float) -> None:
    arena, keys, values = filled()
    other = arena.empty_like(TOKENS)
    keys[:, 7, :, 3] = values[:, 7, :, 3] = bad
    for layer in range(LAYERS):
        other.write(layer, 0, keys[layer], values[layer])
    for before, after in ((arena.keys, other.keys), (arena.values, other.values)):
        assert torch.equal(before[:, :, :7], after[:, :, :7])
        assert torch.equal(before[:, :, 8:], after[:, :, 8:])
    for layer in range(LAYERS):
        assert all(rows.isfinite().all() for rows in other.read(layer, 0, TOKENS))
    if abs(bad) == torch.inf or bad != bad:
        assert not other.read(0, 7, 8)[1].any()


def test_zeros_are_read_as_zeros() -> None:
    arena = Arena(*SHAPE, Codes(factors()), TABLE, 1)
    arena.write(0, 0, *torch.zeros(2, 1, KV_HEADS, HEAD_DIM))
    assert not any(rows.any() for rows in arena.read(0, 0, 1))


@pytest.mark.parametrize("by", [-300, 1, 70])
def test_keys_that_are_turned_where_they_lie_are_off_by_a_code_at_most(by: int) -> None:
    arena, keys, _ = filled()
    values = arena.values.clone()
    arena.turn(0, TOKENS, by)
    arena.turn(0, TOKENS, -by)
    for layer in range(LAYERS):
        step = largest(keys[layer] / factors()[layer]) * factors()[layer] / CODES
        found = arena.read(layer, 0, TOKENS)[0].transpose(0, 1)
        assert ((found - keys[layer]).abs() <= 4 * step.amax(dim=-1, keepdim=True)).all()
    assert torch.equal(arena.values, values)


def test_rows_that_move_or_are_spilled_keep_their_bits() -> None:
    arena, *_ = filled()
    keys, values = arena.keys.clone(), arena.values.clone()
    arena.resize(2 * TOKENS)
    arena.permute([(0, TOKENS, TOKENS)])
    assert torch.equal(arena.keys[:, :, TOKENS:], keys)
    assert torch.equal(arena.values[:, :, TOKENS:], values)
    sequence = CachedSequence(filled()[0])
    sequence.append(range(TOKENS))
    spill = HostSpill(2**20)
    spill.store("a", sequence)
    restored = CachedSequence(arena.empty_like(0))
    assert spill.restore("a", restored)
    assert torch.equal(restored.arena.keys, keys)
    assert torch.equal(restored.arena.values, values)


def test_a_chunk_is_put_aside_and_placed_within_the_rounding_of_both() -> None:
    arena, keys, values = filled()
    other = arena.empty_like(TOKENS)
    QuantisedRows.of(arena, 0, TOKENS, 5).write(other, 0, 5)
    for layer in range(LAYERS):
        found = [rows.transpose(0, 1) for rows in other.read(layer, 0, TOKENS)]
        assert_close(found[0], keys[layer], atol=0.4, rtol=0)  # factors differ up to forty times
        assert_close(found[1], values[layer], atol=0.03, rtol=0)
