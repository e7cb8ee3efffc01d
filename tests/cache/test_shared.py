"""Tokens encoded once can be shown in any sequence at any place, without a copy."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from keyturn.cache.correction import Correction, materialise, turn_query
from keyturn.cache.errors import ContextOverflow
from keyturn.cache.sequence import CachedSequence
from keyturn.cache.staleness import next_span
from support.cache.edited_sequence import fresh, new_sequence, run, stored, tiny
from support.models.tiny import random_tokens

ONE_LAYER, MODEL = tiny(1), tiny(3)
CLOSE: Any = {"atol": 3e-4, "rtol": 3e-4}
CHUNK, FILE = random_tokens(30, seed=1), random_tokens(50, seed=2)


@pytest.mark.parametrize("correction", [turn_query, materialise])
def test_with_one_layer_a_shared_chunk_is_as_good_as_encoded_there(correction: Correction) -> None:
    chunk = fresh(ONE_LAYER, CHUNK)[0].share()
    rows = chunk.arena.keys.clone()
    sequence = new_sequence(ONE_LAYER, correction)
    run(ONE_LAYER, sequence, sequence.append(FILE))
    used = sequence.own_rows()
    sequence.attach(20, chunk)
    sequence.attach(0, chunk)
    sequence.check_integrity()
    assert sequence.own_rows() == used
    tokens = CHUNK + FILE[:20] + CHUNK + FILE[20:]
    assert sequence.tokens == tokens
    logits = run(ONE_LAYER, sequence, sequence.append([7]))
    reference, expected = fresh(ONE_LAYER, [*tokens, 7])
    assert_close(logits[-1], expected[-1], **CLOSE)
    for ours, theirs in zip(stored(sequence), stored(reference), strict=True):
        assert_close(ours, theirs, **CLOSE)
    assert torch.equal(chunk.arena.keys, rows)  # read only


def test_the_last_user_gives_the_rows_back() -> None:
    chunk = fresh(MODEL, CHUNK)[0].share()
    one, two = (fresh(MODEL, FILE)[0] for _ in range(2))
    one.attach(0, chunk)
    one.attach(10, chunk)
    two.attach(5, chunk)
    assert chunk.references == 2
    one.drop(0, 12)
    assert chunk.references == 2  # still shows some of it
    one.truncate(0)
    assert chunk.references == 1
    assert chunk.arena.rows == 30
    two.clear()
    assert (chunk.references, chunk.arena.rows) == (0, 0)


def test_refreshing_takes_a_chunk_over_into_the_sequences_own_rows() -> None:
    chunk = fresh(MODEL, CHUNK)[0].share()
    sequence, _ = fresh(MODEL, FILE)
    sequence.attach(25, chunk)
    while span := next_span(sequence.inexact(), 25, 16):
        run(MODEL, sequence, sequence.reencode(span))
        sequence.check_integrity()
    assert chunk.references == 0
    reference, _ = fresh(MODEL, FILE[:25] + CHUNK + FILE[25:])
    for ours, theirs in zip(stored(sequence, 2), stored(reference, 2), strict=True):
        assert_close(ours, theirs, **CLOSE)


def test_compacting_leaves_shared_rows_where_they_are() -> None:
    chunk = fresh(MODEL, CHUNK)[0].share()
    sequence, _ = fresh(MODEL, FILE)
    sequence.attach(25, chunk)
    sequence.drop(3, 6)
    before = stored(sequence, 1)
    sequence.compact()
    sequence.check_integrity()
    for ours, theirs in zip(stored(sequence, 1), before, strict=True):
        assert_close(ours, theirs, **CLOSE)


def test_a_chunk_that_does_not_fit_the_context_is_refused() -> None:
    chunk = fresh(MODEL, CHUNK)[0].share()
    sequence = CachedSequence(MODEL.new_arena(), most_tokens=70)
    run(MODEL, sequence, sequence.append(FILE))
    with pytest.raises(ContextOverflow):
        sequence.attach(0, chunk)
    assert sequence.tokens == FILE
    assert chunk.references == 0
