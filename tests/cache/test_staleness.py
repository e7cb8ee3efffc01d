"""What is stale is known, and encoding it again in small steps ends with a fresh prefill."""

from random import Random
from typing import Any

import pytest
from torch.testing import assert_close

from keyturn.cache.plan import Repair
from keyturn.cache.staleness import next_span, staleness
from support.cache.edited_sequence import fresh, move_to, new_sequence, run, stored, target, tiny
from support.models.tiny import random_tokens

MODEL = tiny(3)
CLOSE: Any = {"atol": 5e-4, "rtol": 5e-4}


@pytest.mark.parametrize("most", [1, 7, 64])
def test_refreshing_ends_with_what_a_fresh_prefill_gives(most: int) -> None:
    tokens, random = random_tokens(120), Random(most)
    sequence = new_sequence(MODEL)
    move_to(MODEL, sequence, target(tokens, cursor=60))
    for seed in range(6):
        start = random.randrange(100)
        tokens[start : start + random.randrange(4)] = random_tokens(random.randrange(5), seed)
        move_to(MODEL, sequence, target(tokens[:], cursor=60), Repair(exact=10, tail=4, behind=0))
    reference, logits = fresh(MODEL, tokens)
    assert sequence.inexact()
    worst = (stored(sequence, 2)[1] - stored(reference, 2)[1]).abs().max()
    assert worst > 0.01  # carried tokens really differ
    steps = 0
    while span := next_span(sequence.inexact(), 60, most):
        assert len(span) <= most
        run(MODEL, sequence, sequence.reencode(span))
        sequence.check_integrity()
        steps += 1
    assert steps <= 2 * 120 / most + 20
    for layer in range(3):
        for ours, theirs in zip(stored(sequence, layer), stored(reference, layer), strict=True):
            assert_close(ours, theirs, **CLOSE)
    _, last = move_to(MODEL, sequence, target(tokens, cursor=60))
    assert_close(last, logits[-1], **CLOSE)
    assert sequence.tokens == tokens


def test_tokens_know_how_many_edits_they_have_missed() -> None:
    sequence = new_sequence(MODEL)
    tokens = random_tokens(100)
    move_to(MODEL, sequence, target(tokens))
    assert staleness(100, sequence.inexact()).share == 0
    for count in (1, 2, 3):
        tokens[10] = (tokens[10] + 1) % 90
        move_to(MODEL, sequence, target(tokens[:]))
        assert staleness(100, sequence.inexact()).edits == count
    known = staleness(100, sequence.inexact())
    assert known.unseeing == 88  # all behind the edit but the last token, which is encoded again
    assert known.inexact == 89
    assert known.share == 0.89


def test_appending_and_taking_back_make_nothing_stale() -> None:
    sequence = new_sequence(MODEL)
    tokens = random_tokens(50)
    move_to(MODEL, sequence, target(tokens))
    move_to(MODEL, sequence, target([*tokens, 1, 2, 3]))
    plan, _ = move_to(MODEL, sequence, target(tokens[:30]))
    assert plan.encoded == 1
    assert not sequence.inexact()


def test_what_is_near_the_cursor_comes_first_and_then_everything_in_order() -> None:
    inexact = [(range(10, 40), 1), (range(40, 45), 0), (range(45, 90), 2)]
    assert next_span(inexact, cursor=45, most=8) == range(45, 53)
    assert next_span(inexact, cursor=42, most=8) == range(32, 40)
    assert next_span(inexact, cursor=500, most=8) == range(10, 18)
    assert next_span([(range(10, 90), 0)], cursor=50, most=8) == range(10, 18)
    assert next_span([], cursor=50, most=8) is None
