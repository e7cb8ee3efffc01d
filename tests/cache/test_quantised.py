"""Keys and values put aside in eight bits, and written where they are wanted."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.cache.errors import ContextOverflow, OverBudget
from keyturn.cache.quantised import QuantisedRows
from keyturn.cache.sequence import CachedSequence, Piece
from support.cache.edited_sequence import fresh, new_sequence, run, stored, tiny
from support.models.tiny import random_tokens

ONE_LAYER, MODEL = tiny(1), tiny(3)
CHUNK, FILE = random_tokens(30, seed=1), random_tokens(50, seed=2)
EIGHT_BITS: Any = {"atol": 2e-2, "rtol": 2e-2}


def aside(sequence: CachedSequence, start: int = 0, first: int = 0) -> QuantisedRows:
    return QuantisedRows.of(sequence.arena, start, len(sequence), first)


def piece(tokens: list[int], rows: QuantisedRows) -> Piece:
    return Piece(tokens, [0] * len(tokens), rows)


@given(st.integers(0, 2**16), st.floats(1e-6, 1e4), st.integers(0, 900), st.integers(0, 900))
def test_nothing_is_off_by_more_than_half_a_step_of_its_channel_or_its_token(
    seed: int, scale: float, first: int, position: int
) -> None:
    arena = MODEL.new_arena(16)
    draw = torch.Generator().manual_seed(seed)
    arena.keys.normal_(generator=draw).mul_(scale)
    arena.values.normal_(generator=draw).mul_(scale)
    other, back = arena.empty_like(16), arena.empty_like(16)
    QuantisedRows.of(arena, 0, 16, first).write(other, 0, position)
    back.keys[:] = arena.keys
    for index in range(16):
        back.turn(index, index + 1, -first - index)
        other.turn(index, index + 1, -position - index)
    means = back.keys.mean(dim=2, keepdim=True)
    step = (back.keys - means).abs().amax(2, keepdim=True) / 127
    assert bool(((other.keys - back.keys).abs() <= 0.501 * step + 1e-3 * scale).all())
    step = arena.values.abs().amax(3, keepdim=True) / 127
    assert bool(((other.values - arena.values).abs() <= 0.501 * step).all())


def test_a_channel_that_is_large_in_every_token_does_not_cost_the_others_their_precision() -> None:
    """As the biases of some models make them."""
    arena = MODEL.new_arena(16)
    arena.keys.normal_(generator=torch.Generator().manual_seed(1))
    arena.keys[..., 0] += 300.0
    for index in range(16):
        arena.turn(index, index + 1, index)
    other = arena.empty_like(16)
    arena.values.zero_()
    QuantisedRows.of(arena, 0, 16, 0).write(other, 0, 0)
    assert_close(other.keys, arena.keys, atol=0.03, rtol=0)


def test_a_chunk_of_zeros_stays_zeros() -> None:
    arena = MODEL.new_arena(4)
    arena.keys.zero_()
    arena.values.zero_()
    other = arena.empty_like(4)
    QuantisedRows.of(arena, 0, 4, 0).write(other, 0, 9)
    assert not other.keys.any()
    assert not other.values.any()


@given(st.integers(0, 50), st.integers(0, 50))
def test_with_one_layer_a_placed_chunk_is_as_good_as_one_encoded_there(at: int, again: int) -> None:
    """Keys and values of the first layer depend on nothing but the token and its place."""
    rows = aside(fresh(ONE_LAYER, CHUNK)[0])
    sequence, _ = fresh(ONE_LAYER, FILE)
    tokens = list(FILE)
    for place in (at, again):
        sequence.place(place, [piece(CHUNK, rows)])
        sequence.check_integrity()
        tokens[place:place] = CHUNK
    assert sequence.tokens == tokens
    reference, _ = fresh(ONE_LAYER, tokens)
    for ours, theirs in zip(stored(sequence), stored(reference), strict=True):
        assert_close(ours, theirs, **EIGHT_BITS)


def test_chunks_placed_together_are_one_segment_and_they_and_what_is_behind_are_stale() -> None:
    rows = aside(fresh(MODEL, CHUNK)[0])
    sequence, _ = fresh(MODEL, FILE)
    sequence.place(1, [piece(CHUNK, rows), piece(CHUNK, rows)])
    sequence.check_integrity()
    assert sequence.tokens == [FILE[0], *CHUNK, *CHUNK, *FILE[1:]]
    assert [s.length for s in sequence.segments] == [1, 60, 49]
    assert sequence.inexact() == [(range(1, 61), 1), (range(61, 110), 1)]


def test_a_chunk_placed_behind_its_own_sink_is_nearly_what_a_prefill_gives() -> None:
    sink = random_tokens(3, seed=5)
    alone, _ = fresh(MODEL, [*sink, *CHUNK])
    rows = aside(alone, start=3, first=3)
    sequence, _ = fresh(MODEL, sink)
    sequence.place(3, [piece(CHUNK, rows)])
    assert sequence.inexact() == [(range(3, 33), 1)]  # nobody knows that it is
    logits = run(MODEL, sequence, sequence.append(FILE))
    expected = fresh(MODEL, [*sink, *CHUNK, *FILE])[1][-len(FILE) :]
    assert_close(logits, expected, atol=0.05, rtol=0.05)


def test_nothing_is_placed_where_there_is_no_room_for_all_of_it() -> None:
    rows = aside(fresh(MODEL, CHUNK)[0])
    arena = MODEL.new_arena
    small = CachedSequence(arena(0), most_tokens=70), CachedSequence(arena(0), most_rows=70)
    for sequence, error in zip(small, (ContextOverflow, OverBudget), strict=True):
        run(MODEL, sequence, sequence.append(FILE))
        with pytest.raises(error):
            sequence.place(1, [piece(CHUNK, rows)])
        assert sequence.tokens == FILE
        sequence.check_integrity()


def test_rows_of_another_model_do_not_fit() -> None:
    rows = aside(fresh(ONE_LAYER, CHUNK)[0])
    assert rows.fits(ONE_LAYER.new_arena(0))
    assert not rows.fits(new_sequence(MODEL).arena)
