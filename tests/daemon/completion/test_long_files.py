"""In a file of ten thousand lines the window grows as far as it may, and answers stay quick."""

from random import Random

import pytest
import torch
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.file_session import MANY_SEGMENTS, FileSession
from keyturn.daemon.completion.growth import NARROW_TOKENS, QUICK_TOKENS
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions
from keyturn.models.prompts.templates import TEMPLATES, Order
from support.daemon.file_sessions import CLOSE, fresh_logits, prepare
from support.daemon.model_engines import tiny_loaded
from support.models.tiny_tokenizer import tiny_tokenizer

FUNCTIONS = 2_500
TEXT = "".join(f"def f{n}(a, b):\n    c = a[{n}]\n    return c + b\n\n" for n in range(FUNCTIONS))
WIDTH = 5_000
STEP = 64


def session(text: str = TEXT) -> FileSession:
    loaded = tiny_loaded()
    sequence = CachedSequence(loaded.model.new_arena(0))
    builder = PromptBuilder(loaded.tokenizer)
    made = FileSession(loaded.model, loaded.tokenizer, builder, sequence, narrow_first=True)
    made.show(text)
    return made


def wide(order: Order = Order.SUFFIX_FIRST) -> PromptOptions:
    return PromptOptions(WIDTH, order=order, heal=False)


def place(number: int) -> int:
    return TEXT.index(f"    c = a[{number}]")


def grow(file: FileSession, steps: int | None = None) -> int:
    """So many steps of idle time, or all that there are; tokens encoded."""
    total = 0
    while steps != 0 and (count := file.refresh(STEP)):
        total += count
        steps = None if steps is None else steps - 1
    return total


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
@pytest.mark.parametrize("number", [0, FUNCTIONS // 2, FUNCTIONS - 1])
def test_the_first_answer_reads_the_narrow_window_wherever_the_cursor_is(
    order: Order, number: int
) -> None:
    assert TEXT.count("\n") == 10_000
    file = session()
    planned, logits = prepare(file, place(number), wide(order))
    assert file.encoded_tokens == len(planned.prompt.tokens) <= NARROW_TOKENS
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)


def test_the_window_grows_to_the_limit_then_nothing_is_left_to_do() -> None:
    file = session()
    prepare(file, place(1_200), wide())
    grow(file)
    assert file.refresh(STEP) == 0
    planned, logits = prepare(file, place(1_200), wide())
    assert planned.plan.encoded == 1
    assert WIDTH - WIDTH // 8 <= len(planned.prompt.tokens) + 32 <= WIDTH
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)
    assert file.refresh(STEP) == 0


def test_attention_never_pays_for_the_steps_that_a_window_has_grown_in() -> None:
    file = session()
    prepare(file, place(1_200), wide())
    while file.refresh(STEP):
        assert len(file.sequence.segments) <= MANY_SEGMENTS + 2
        file.sequence.check_integrity()


def test_what_is_near_is_there_before_what_is_far() -> None:
    file = session()
    cursor = place(1_200)
    prepare(file, cursor, wide())
    before = file.shown
    for _ in range(8):
        grow(file, 8)
        prepare(file, cursor, wide())
        after = file.shown
        assert after[0] <= before[0] <= cursor <= before[1] <= after[1]
        before = after
    assert before[1] - before[0] > 3_000


def test_edits_while_it_grows_end_with_what_a_fresh_prefill_of_the_same_window_gives() -> None:
    file, random, text = session(), Random(1), TEXT
    cursor = place(1_200)
    prepare(file, cursor, wide())
    for turn in range(12):
        near = cursor + random.randint(-9_000, 9_000)
        start = random.choice([near, cursor])
        stop = start + random.choice([0, 0, 12])
        new = random.choice(["x", "d = 1\n    ", "def g(a):\n    return a\n\n"])
        text = text[:start] + new + text[stop:]
        file.edit(start, stop, new)
        cursor += (len(new) - (stop - start)) if stop <= cursor else 0
        planned, logits = prepare(file, cursor, wide())
        assert tuple(file.sequence.tokens) == planned.prompt.tokens
        assert file.encoded_tokens <= 2 * NARROW_TOKENS
        assert torch.isfinite(logits).all()
        file.sequence.check_integrity()
        grow(file, turn)
    prepare(file, cursor, wide())
    grow(file)
    assert file.staleness().share == 0
    planned, logits = prepare(file, cursor, wide())
    assert planned.plan.encoded == 1
    assert file.text.text == text
    assert len(planned.prompt.tokens) > WIDTH - WIDTH // 4
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)


def test_what_an_edit_near_the_cursor_changed_comes_before_a_wider_window() -> None:
    file, cursor = session(), place(1_200)
    prepare(file, cursor, wide(Order.PSM))
    file.edit(cursor + 8, cursor + 8, "z = 1\n")  # which the rest of the suffix has not seen
    planned, _ = prepare(file, cursor, wide(Order.PSM))
    size, near = len(planned.prompt.tokens), planned.prompt.prefix.stop

    def missed() -> list[range]:
        spans = [span for span, edits in file.sequence.inexact() if edits]
        return [span for span in spans if span.start < near + 64 and span.stop > near]

    assert missed()
    while missed():
        assert file.refresh(8)
        assert len(file.sequence) == size
    grow(file, 8)
    assert len(file.sequence) > size


def test_typing_in_a_window_that_has_grown_encodes_what_is_typed() -> None:
    file = session()
    cursor = place(1_200)
    prepare(file, cursor, wide())
    grow(file)
    for key in "    d = c\n":
        file.edit(cursor, cursor, key)
        cursor += 1
        planned, _ = prepare(file, cursor, wide())
        assert file.encoded_tokens <= QUICK_TOKENS // 4
        assert len(planned.prompt.tokens) > WIDTH - WIDTH // 4


def test_what_is_waited_for_counts_what_it_attends_to_and_no_edit_begins_a_window_anew() -> None:
    widths = []
    for pasted in (1, 20):  # lines of about a dozen tokens
        file, cursor = session(), place(1_200)
        options = PromptOptions(8_192, order=Order.SUFFIX_FIRST, heal=False)
        prepare(file, cursor, options)
        grow(file)
        text = "    d = a[b] + c[7]\n" * pasted
        file.edit(cursor, cursor, text)
        planned, _ = prepare(file, cursor + len(text), options)
        assert file.encoded_tokens < 2 * QUICK_TOKENS
        widths.append(len(planned.prompt.tokens))
    assert widths[0] > 7_000
    assert widths[1] <= NARROW_TOKENS


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
def test_the_first_tokens_stay_in_the_cache_as_they_are_whatever_the_window_does(
    order: Order,
) -> None:
    """What every later token attends to when it has nothing better: the sink."""
    file, random = session(), Random(2)
    prepare(file, place(1_200), wide(order))
    sink = file.builder.sink(wide(order))
    first = file.sequence.values(range(len(sink)), 1).clone()

    def held() -> None:
        assert file.sequence.tokens[: len(sink)] == sink
        assert file.sequence.segments[0].first == 0
        assert file.sequence.segments[0].offset == 0
        assert torch.equal(file.sequence.values(range(len(sink)), 1), first)

    held()
    for number in (1_200, 60, 2_400, 1_190, 1_210):  # from the top to the end, and near by
        cursor = place(number)
        for _ in range(3):
            start = max(0, min(len(file.text.text), cursor + random.randint(-4_000, 2_000)))
            file.edit(start, start, "y = 1\n")
            cursor += 6 if start <= cursor else 0
            prepare(file, cursor, wide(order))
            held()
            for _ in range(5):
                file.refresh(STEP)
                held()
    grow(file)
    held()


@pytest.mark.parametrize("family", [template.family for template in TEMPLATES])
def test_prompts_of_every_family_begin_with_a_sink_that_no_window_moves(family: str) -> None:
    tokenizer = tiny_tokenizer(family)
    builder = PromptBuilder(tokenizer)
    text = tokenizer.encode(TEXT[:4_000])
    for order in builder.template.orders:
        options = PromptOptions(WIDTH, order=order, heal=False)
        sink = builder.sink(options)
        assert sink
        for start in (0, 40, 400):
            prompt = builder.assemble(text[start : start + 99], text[start + 99 :], options)
            assert list(prompt.tokens[: len(sink)]) == sink


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_window_of_a_file_that_is_one_long_word_grows_as_wide_as_any(share: float) -> None:
    text = "x" * 8_000
    file, cursor = session(text), int(share * len(text))
    first, _ = prepare(file, cursor, wide())
    grow(file)
    planned, _ = prepare(file, cursor, wide())
    straight = session(text)
    straight.narrow_first = False
    widest = len(straight.plan(cursor, wide()).prompt.tokens)
    assert len(first.prompt.tokens) <= NARROW_TOKENS < len(planned.prompt.tokens) == widest
