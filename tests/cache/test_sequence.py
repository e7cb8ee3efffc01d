"""An edited cache is what a fresh prefill of the edited tokens gives: exactly, with one layer."""

from itertools import count
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.cache.correction import Correction, conflict, materialise, turn_query
from keyturn.cache.errors import ContextOverflow, OverBudget
from keyturn.cache.plan import Insert, Repair, plan_edit
from keyturn.cache.sequence import CachedSequence
from support.cache.edited_sequence import fresh, move_to, new_sequence, run, stored, target, tiny
from support.models.tiny import VOCABULARY, random_tokens

ONE_LAYER = tiny(1)
THREE_LAYERS = tiny(3)
CLOSE: Any = {"atol": 2e-4, "rtol": 2e-4}

token = st.integers(0, VOCABULARY - 1)
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), st.lists(token, max_size=20), st.booleans()),
    min_size=1,
    max_size=8,
)
repairs = st.builds(
    Repair,
    exact=st.sampled_from([0, 5, 1000]),
    tail=st.sampled_from([0, 3, 16]),
    head=st.sampled_from([0, 4]),
    carry=st.booleans(),
)


@pytest.mark.parametrize("correction", [turn_query, materialise])
@given(edits=edits, repair=repairs, most=st.sampled_from([3, 512]), labelled=st.booleans())
@settings(max_examples=40, deadline=None)
def test_with_one_layer_any_edits_give_what_a_fresh_prefill_gives(
    correction: Correction, edits, repair: Repair, most: int, labelled: bool
) -> None:
    tokens, names = random_tokens(60), count(1)
    labels = [next(names) for _ in tokens]
    sequence = new_sequence(ONE_LAYER, correction)
    move_to(ONE_LAYER, sequence, target(tokens, labels))
    for where, deleted, inserted, ask in edits:
        start = int(where * len(tokens))
        tokens[start : start + deleted] = inserted
        labels[start : start + deleted] = [next(names) for _ in inserted]
        if not tokens:
            tokens, labels = [1], [next(names)]
        if not ask:
            continue  # the next completion sees several edits at once
        wanted = target(tokens[:], labels[:] if labelled else (), start)
        _, logits = move_to(ONE_LAYER, sequence, wanted, repair, most)
        reference, expected = fresh(ONE_LAYER, tokens)
        assert_close(logits, expected[-1], **CLOSE)
        for ours, theirs in zip(stored(sequence), stored(reference), strict=True):
            assert_close(ours, theirs, **CLOSE)


@given(edits=edits, room=st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_compacting_changes_nothing_but_the_rows(edits, room: int) -> None:
    tokens = random_tokens(50)
    sequence = new_sequence(THREE_LAYERS)
    move_to(THREE_LAYERS, sequence, target(tokens))
    for where, deleted, inserted, _ in edits:
        start = int(where * len(tokens))
        tokens[start : start + deleted] = inserted
        tokens = tokens or [1]
        move_to(THREE_LAYERS, sequence, target(tokens[:]))
    before = [stored(sequence, layer) for layer in range(3)]
    sequence.compact(room_at=len(tokens) // 2, room=room)
    sequence.check_integrity()
    assert all(s.offset == 0 for s in sequence.segments)
    for layer, pair in enumerate(before):
        for ours, theirs in zip(stored(sequence, layer), pair, strict=True):
            assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_without_correction_the_keys_are_at_the_wrong_place() -> None:
    tokens = random_tokens(60)
    sequence = new_sequence(ONE_LAYER, conflict)
    move_to(ONE_LAYER, sequence, target(tokens))
    tokens = tokens[:10] + random_tokens(7, seed=4) + tokens[10:]
    _, logits = move_to(ONE_LAYER, sequence, target(tokens))
    difference = (logits - fresh(ONE_LAYER, tokens)[1][-1]).abs().max()
    assert difference > 100 * CLOSE["atol"]


@pytest.mark.parametrize("correction", [turn_query, materialise, conflict])
def test_an_edit_that_changes_nothing_is_bit_identical(correction: Correction) -> None:
    tokens = random_tokens(80)
    sequence = new_sequence(THREE_LAYERS, correction)
    move_to(THREE_LAYERS, sequence, target(tokens))
    before = [stored(sequence, layer) for layer in range(3)]
    segments = list(sequence.segments)
    plan, _ = move_to(THREE_LAYERS, sequence, target(list(tokens), cursor=40))
    assert plan.encode == (range(79, 80),)
    assert sequence.segments == segments
    for layer, (keys, values) in enumerate(before):
        after_keys, after_values = stored(sequence, layer)
        assert torch.equal(after_keys[:, :79], keys[:, :79])
        assert torch.equal(after_values[:, :79], values[:, :79])


def test_an_edit_moves_and_rewrites_no_carried_row() -> None:
    tokens = random_tokens(200)
    sequence = new_sequence(THREE_LAYERS)
    move_to(THREE_LAYERS, sequence, target(tokens))
    keys = sequence.arena.keys.clone()
    tokens[50:53] = random_tokens(5, seed=8)
    plan, _ = move_to(THREE_LAYERS, sequence, target(tokens))
    assert plan.encoded == 6  # the five, and the last
    assert plan.carried == 146
    assert torch.equal(sequence.arena.keys[:, :, 53:199], keys[:, :, 53:199])


def test_typing_at_one_place_stays_one_segment() -> None:
    tokens = random_tokens(200)
    sequence = new_sequence(THREE_LAYERS)
    move_to(THREE_LAYERS, sequence, target(tokens))
    for index in range(40):
        tokens.insert(100 + index, index)
        move_to(THREE_LAYERS, sequence, target(tokens))
    # before, typed, after, and the last token, which is always encoded again
    assert len(sequence.segments) <= 4


def test_a_step_of_many_parts_equals_the_parts_one_after_the_other() -> None:
    tokens = random_tokens(90)
    sequences = []
    for together in (True, False):
        sequence, _ = fresh(THREE_LAYERS, tokens)
        inserts = [Insert(10, [1, 2, 3]), Insert(40, [4]), Insert(70, [5, 6])]
        for batch in [inserts] if together else [[i] for i in inserts]:
            run(THREE_LAYERS, sequence, sequence.insert(batch))
        sequence.check_integrity()
        sequences.append(sequence)
    for layer in range(3):
        for ours, theirs in zip(*(stored(s, layer) for s in sequences), strict=True):
            assert_close(ours, theirs, **CLOSE)


def test_too_many_tokens_are_refused_before_anything_changes() -> None:
    sequence = CachedSequence(THREE_LAYERS.new_arena(), most_tokens=30, most_rows=25)
    run(THREE_LAYERS, sequence, sequence.append(random_tokens(20)))
    before = (list(sequence.tokens), list(sequence.segments), sequence.arena.rows)
    with pytest.raises(ContextOverflow, match="context of 30"):
        sequence.append(random_tokens(11))
    with pytest.raises(OverBudget, match="budget of 25"):
        sequence.append(random_tokens(6))
    with pytest.raises(ContextOverflow):
        move_to(THREE_LAYERS, sequence, target(random_tokens(40)))
    assert before == (sequence.tokens, sequence.segments, sequence.arena.rows)
    sequence.check_integrity()


def test_a_full_arena_is_compacted_to_make_one_run_of_what_is_free() -> None:
    sequence = CachedSequence(ONE_LAYER.new_arena(), most_rows=64)
    tokens = random_tokens(64)
    run(ONE_LAYER, sequence, sequence.append(tokens))
    for start in (40, 20, 5):
        sequence.drop(start, start + 3)
        del tokens[start : start + 3]
    run(ONE_LAYER, sequence, sequence.append([1] * 9))
    sequence.check_integrity()
    reference, _ = fresh(ONE_LAYER, tokens + [1] * 9)
    for ours, theirs in zip(stored(sequence), stored(reference), strict=True):
        assert_close(ours, theirs, **CLOSE)


@pytest.mark.parametrize("correction", [turn_query, materialise])
@pytest.mark.parametrize("edits", [200, pytest.param(5000, marks=pytest.mark.slow)])
def test_kept_spans_do_not_get_worse_with_the_number_of_edits(
    edits: int, correction: Correction
) -> None:
    head, tail = random_tokens(60), random_tokens(60, seed=6)
    sequence = new_sequence(ONE_LAYER, correction)
    move_to(ONE_LAYER, sequence, target(head + tail))
    rows = slice(60, 119)
    kept = [x[:, :, rows].clone() for x in (sequence.arena.keys, sequence.arena.values)]
    random = Random(1)
    for _ in range(edits):
        start = random.randrange(len(head))
        grown = len(head) - 60
        head[start : start + random.randint(0, 4 + max(0, grown))] = random_tokens(
            random.randint(1, 4 + max(0, -grown)), seed=random.randrange(10**9)
        )
        move_to(ONE_LAYER, sequence, target(head + tail))
    _, logits = move_to(ONE_LAYER, sequence, target(head + tail))
    assert_close(logits, fresh(ONE_LAYER, head + tail)[1][-1], **CLOSE)
    if correction is turn_query:
        assert torch.equal(sequence.arena.keys[:, :, rows], kept[0])
        assert torch.equal(sequence.arena.values[:, :, rows], kept[1])


@pytest.mark.parametrize("exact", [True, False])
def test_an_interrupted_plan_leaves_a_consistent_part_behind(exact: bool) -> None:
    tokens = random_tokens(60)
    sequence = new_sequence(THREE_LAYERS)
    move_to(THREE_LAYERS, sequence, target(tokens))
    tokens[20:25] = random_tokens(20, seed=5)
    wanted = target(tokens)
    plan = plan_edit(sequence.tokens, sequence.labels, wanted, Repair(exact=0, behind=0))
    steps = sequence.apply(plan, wanted, most=8)
    run(THREE_LAYERS, sequence, next(steps))
    next(steps)  # never run
    steps.close()
    sequence.check_integrity()
    assert sequence.tokens == tokens[:28] + tokens[40:74]
    _, logits = move_to(THREE_LAYERS, sequence, wanted, Repair(carry=not exact, tail=16, behind=0))
    assert sequence.tokens == tokens
    if exact:
        assert_close(logits, fresh(THREE_LAYERS, tokens)[1][-1], **CLOSE)


def test_rows_can_be_moved_outside_inference_mode_however_they_were_made() -> None:
    sequence = CachedSequence(THREE_LAYERS.new_arena(0))
    with torch.inference_mode():
        step = sequence.append(random_tokens(20))
    run(THREE_LAYERS, sequence, step)
    sequence.drop(3, 5)
    sequence.compact()
    sequence.check_integrity()
    assert all(segment.offset == 0 for segment in sequence.segments)
