"""A file that was just opened, or jumped in, is answered from a narrow window that grows."""

from random import Random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.file_session import FileSession
from keyturn.daemon.completion.growth import NARROW_TOKENS, QUICK_TOKENS
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions
from keyturn.models.prompts.templates import Order
from support.daemon.file_sessions import CLOSE, fresh_logits, prepare
from support.daemon.model_engines import tiny_loaded
from support.models.tiny_tokenizer import PAGE

LONG = "".join(f"def f{n}(a, b):\n    return a[{n}] + b\n\n" + PAGE for n in range(16))
WIDE = PromptOptions(budget_tokens=1800, order=Order.PSM, heal=False)


def session(narrow_first: bool = True) -> FileSession:
    loaded = tiny_loaded()
    sequence = CachedSequence(loaded.model.new_arena())
    builder = PromptBuilder(loaded.tokenizer)
    file = FileSession(loaded.model, loaded.tokenizer, builder, sequence, narrow_first=narrow_first)
    file.show(LONG)
    return file


def place(number: int) -> int:
    return LONG.index(f"    return a[{number}]")


def grow(file: FileSession, steps: int | None = None) -> None:
    while steps != 0 and file.refresh(64):
        file.sequence.check_integrity()
        steps = None if steps is None else steps - 1


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
def test_a_cold_file_is_answered_from_a_narrow_window_which_grows_to_the_wide_one(
    order: Order,
) -> None:
    wanted = PromptOptions(1800, order=order, heal=False)
    file = session()
    planned, logits = prepare(file, place(9), wanted)
    assert planned.plan.encoded <= NARROW_TOKENS
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)
    grow(file)
    assert file.staleness().share == 0
    planned, logits = prepare(file, place(9), wanted)
    assert planned.plan.encoded == 1
    assert len(planned.prompt.tokens) > 1500
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)


def test_where_no_idle_time_is_used_the_wide_window_is_waited_for() -> None:
    file = session(narrow_first=False)
    planned, _ = prepare(file, place(9), WIDE)
    assert planned.plan.encoded > 1500


def test_a_jump_is_answered_from_a_narrow_window_and_the_way_back_too() -> None:
    file = session()
    prepare(file, place(3), WIDE)
    grow(file)
    for number in (14, 3):
        planned, _ = prepare(file, place(number), WIDE)
        assert planned.plan.encoded <= NARROW_TOKENS
        first, last = file.shown
        assert first <= place(number) <= last
        grow(file)
        planned, logits = prepare(file, place(number), WIDE)
        assert planned.plan.encoded == 1
        assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)


def test_typing_on_in_a_narrow_window_encodes_what_is_typed() -> None:
    file = session()
    cursor = place(9)
    prepare(file, cursor, WIDE)
    for key in "    x = 1\n":
        file.edit(cursor, cursor, key)
        cursor += 1
        planned, _ = prepare(file, cursor, WIDE)
        assert planned.plan.encoded <= 64
        assert len(planned.prompt.tokens) <= NARROW_TOKENS


def test_a_window_that_has_grown_a_little_stays_as_wide() -> None:
    file = session()
    cursor, size = place(9), 0
    for _ in range(12):
        planned, _ = prepare(file, cursor, WIDE)
        assert len(planned.prompt.tokens) >= size - 32
        size = len(planned.prompt.tokens)
        assert planned.plan.encoded <= (NARROW_TOKENS if not size else QUICK_TOKENS + 512)
        grow(file, steps=6)  # in a short pause: 384 tokens
        file.edit(cursor, cursor, "y")
        cursor += 1
    assert size > 1500


@given(seed=st.integers(0, 10_000))
@settings(max_examples=6, deadline=None)
def test_edits_jumps_and_pauses_of_any_length_end_with_what_a_fresh_prefill_gives(
    seed: int,
) -> None:
    file, random = session(), Random(seed)
    text, cursor = LONG, place(5)
    for _ in range(8):
        for _ in range(random.randint(0, 2)):
            start = random.randint(0, len(text))
            stop = min(len(text), start + random.choice([0, 0, 1, 30, 3000]))
            new = random.choice(["x", "\n    ", "def g(a):\n", "", PAGE])
            text = text[:start] + new + text[stop:]
            file.edit(start, stop, new)
        cursor = random.randint(0, len(text)) if random.random() < 0.5 else min(cursor, len(text))
        planned, logits = prepare(file, cursor, WIDE)
        assert tuple(file.sequence.tokens) == planned.prompt.tokens
        file.sequence.check_integrity()
        grow(file, random.choice([0, 1, 5, 40]))
    prepare(file, cursor, WIDE)
    grow(file)
    assert file.staleness().share == 0
    planned, logits = prepare(file, cursor, WIDE)
    expected = file.builder.build(text[:cursor], text[cursor:], WIDE)
    assert len(planned.prompt.tokens) >= len(expected.tokens) // 2  # windows move in strides
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)
    assert torch.isfinite(logits).all()
