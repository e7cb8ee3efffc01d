"""One file through edits and completions: the prompt in the cache is always the one that is due."""

from random import Random

import pytest
from torch.testing import assert_close

from keyturn.cache.errors import EditOutOfRange
from keyturn.cache.plan import Repair
from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.diff import hunks
from keyturn.daemon.completion.file_session import FileSession
from keyturn.daemon.completion.related import Related
from keyturn.daemon.completion.window import choose
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions, Span
from keyturn.models.prompts.templates import Order
from support.daemon.file_sessions import CLOSE, fresh_logits, prepare
from support.daemon.model_engines import tiny_loaded
from support.models.tiny_tokenizer import PAGE

TEXT = PAGE * 6


def session(repair: Repair | None = None) -> FileSession:
    loaded = tiny_loaded()
    sequence = CachedSequence(loaded.model.new_arena())
    builder = PromptBuilder(loaded.tokenizer)
    return FileSession(loaded.model, loaded.tokenizer, builder, sequence, repair or Repair())


def options(order: Order, budget: int = 2000, **more) -> PromptOptions:
    return PromptOptions(budget_tokens=budget, order=order, **more)


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
def test_random_edits_and_jumps_give_the_prompt_that_the_text_asks_for(order: Order) -> None:
    file, random = session(), Random(str(order))
    file.show(TEXT)
    builder, text, cursor = file.builder, TEXT, 0
    for _ in range(25):
        for _ in range(random.randint(0, 3)):
            start = random.randint(0, len(text))
            stop = min(len(text), start + random.choice([0, 0, 1, 30]))
            new = random.choice(["x", "\n    ", "def g(a):\n", "", " = 1"])
            text = text[:start] + new + text[stop:]
            file.edit(start, stop, new)
        cursor = random.randint(0, len(text))
        wanted = options(order, heal=random.random() < 0.5)
        planned, logits = prepare(file, cursor, wanted)
        expected = builder.build(text[:cursor], text[cursor:], wanted)
        assert planned.prompt == expected
        assert tuple(file.sequence.tokens) == expected.tokens
        file.sequence.check_integrity()
    while file.refresh(64):
        file.sequence.check_integrity()
    assert file.staleness().share == 0
    planned, logits = prepare(file, cursor, options(order, heal=True))
    assert file.staleness().share == 0
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)


def test_typing_in_the_middle_encodes_only_what_was_typed() -> None:
    file = session(Repair(behind=0))
    file.show(TEXT)
    cursor = TEXT.index("    def peek")
    prepare(file, cursor, options(Order.PSM, heal=False))
    file.edit(cursor, cursor, "x = 1\n")
    planned, _ = prepare(file, cursor + 6, options(Order.PSM, heal=False))
    assert planned.plan.encoded <= 10
    assert planned.plan.carried > 500
    assert file.staleness().share > 0.5


def test_in_the_suffix_first_order_typing_carries_nothing() -> None:
    file = session()
    file.show(TEXT)
    cursor = TEXT.index("    def peek")
    prepare(file, cursor, options(Order.SUFFIX_FIRST, heal=False))
    file.edit(cursor, cursor, "x = 1\n")
    planned, _ = prepare(file, cursor + 6, options(Order.SUFFIX_FIRST, heal=False))
    assert planned.plan.encoded <= 10
    assert planned.plan.carried == 0
    assert file.staleness().share == 0


def test_edits_close_to_the_cursor_are_followed_by_exact_tokens() -> None:
    file = session(Repair(exact=300, behind=0))
    file.show(TEXT)
    cursor = TEXT.index("    def peek")
    prepare(file, cursor, options(Order.PSM))
    file.edit(20, 20, "a, ")
    planned, _ = prepare(file, cursor + 3, options(Order.PSM))
    (first, _), *_ = file.sequence.inexact()
    assert first.start >= planned.prompt.prefix.stop


def test_lines_that_use_a_name_of_the_edit_are_encoded_again() -> None:
    file = session(Repair(behind=0, related=4))
    file.show(TEXT)
    cursor = TEXT.index("class Stack")
    prepare(file, cursor, options(Order.PSM, heal=False))
    file.edit(cursor, cursor, "value = 2\n")
    planned, _ = prepare(file, cursor + 10, options(Order.PSM, heal=False))
    seen = {span.start for span, edits in file.sequence.inexact() if not edits}
    text = file.tokenizer.decode(
        [file.sequence.tokens[i] for s, e in file.sequence.inexact() if not e for i in s]
    )
    assert len(seen) >= 2
    assert "def push(self, value):" in text
    assert "self.append(value)" in text
    assert "IndexError" not in text
    assert planned.plan.repaired > 10


@pytest.mark.parametrize("limit", [{"most_edits": 3}, {"most_seconds": 30.0}])
def test_staleness_that_idle_time_never_ends_is_ended_at_a_completion(limit) -> None:
    file = session(Repair(exact=0, behind=0, **limit))
    now = 0.0
    file.clock = lambda: now
    file.show(TEXT)
    cursor = TEXT.index("class Stack", 900)
    shares = []
    for _ in range(5):
        prepare(file, cursor, options(Order.PSM, heal=False))
        shares.append(file.staleness().share)
        file.edit(8, 8, "z\n")
        cursor, now = cursor + 2, now + 12
    assert shares[0] == 0
    assert min(shares[1:4]) > 0.9
    assert shares[4] == 0


def test_tokens_that_an_edit_changed_most_are_encoded_again() -> None:
    files = [session(Repair(behind=0, deviating=count)) for count in (0, 12)]
    for file in files:
        file.show(TEXT)
        cursor = TEXT.index("class Stack")
        prepare(file, cursor, options(Order.PSM, heal=False))
        file.edit(cursor, cursor, "value = 2\n")
        planned, _ = prepare(file, cursor + 10, options(Order.PSM, heal=False))
        file.sequence.check_integrity()
        assert tuple(file.sequence.tokens) == planned.prompt.tokens
    without, with_them = (file.staleness().unseeing for file in files)
    assert without - with_them == 12
    assert files[1].encoded_tokens == files[0].encoded_tokens + 13  # and the last one again


def test_the_tokens_right_behind_a_change_and_the_markers_are_encoded_again() -> None:
    file = session(Repair(behind=8))
    file.show(TEXT)
    cursor = TEXT.index("class Stack", len(TEXT) // 2)
    prepare(file, cursor, options(Order.SUFFIX_FIRST, heal=False))
    file.edit(cursor + 200, cursor + 200, "value = 2\n")
    planned, _ = prepare(file, cursor, options(Order.SUFFIX_FIRST, heal=False))
    first, *rest = planned.plan.encode
    typed = len(file.tokenizer.encode("value = 2\n"))
    assert first.start in planned.target.suffix
    assert typed < len(first) <= typed + 8 + 3  # tokens that touch the new ones are new too
    last = len(planned.target.tokens) - 1
    behind = [marker for marker in planned.target.markers() if marker.start > first.stop]
    assert rest == [*behind, range(last, last + 1)]


@pytest.mark.parametrize("repair", [Repair(), Repair(behind=0, deviating=12)])
def test_typing_on_does_not_pay_again_for_what_an_edit_elsewhere_changed(repair: Repair) -> None:
    file = session(repair)
    file.show(TEXT)
    cursor = TEXT.index("class Stack", len(TEXT) // 2)
    prepare(file, cursor, options(Order.SUFFIX_FIRST, heal=False))
    file.edit(len(TEXT), len(TEXT), "value = 2\n")
    prepare(file, cursor, options(Order.SUFFIX_FIRST, heal=False))
    assert file.encoded_tokens > 12
    file.edit(cursor, cursor, "x")
    prepare(file, cursor + 1, options(Order.SUFFIX_FIRST, heal=False))
    assert file.staleness().unseeing > 12
    assert file.encoded_tokens < 5


@pytest.mark.parametrize("order", [Order.PSM, Order.SUFFIX_FIRST])
def test_a_long_file_is_shown_through_a_window_that_typing_does_not_move(order: Order) -> None:
    file = session()
    text = PAGE * 12
    file.show(text)
    cursor = len(text) // 2
    prepare(file, cursor, options(order, 600))
    moved = 0
    for _ in range(60):
        file.edit(cursor, cursor, "x = y\n")
        cursor += 6
        planned, _ = prepare(file, cursor, options(order, 600))
        assert len(planned.prompt.tokens) <= 600
        moved += planned.plan.encoded > 60
        shown = file.tokenizer.decode(planned.prompt.tokens)
        assert "x = y\n" in shown
    assert moved <= 6
    file.sequence.check_integrity()


def test_a_window_that_moves_does_not_encode_the_middle_again() -> None:
    file = session(Repair(behind=0, exact=0))
    text = PAGE * 12
    file.show(text)
    cursor = len(text) // 2
    prepare(file, cursor, options(Order.PSM, 800))
    down = text.index("\n", cursor + 900) + 1
    planned, _ = prepare(file, down, options(Order.PSM, 800))
    assert planned.plan.carried > 200
    file.sequence.check_integrity()


def test_a_cancel_between_steps_leaves_a_cache_that_goes_on() -> None:
    file = session()
    file.show(TEXT)
    looks = iter([None, None, KeyboardInterrupt])

    def raise_if_cancelled() -> None:
        if error := next(looks, None):
            raise error

    with pytest.raises(KeyboardInterrupt):
        prepare(file, 400, options(Order.PSM), raise_if_cancelled)
    file.sequence.check_integrity()
    assert len(file.sequence) == 256
    planned, logits = prepare(file, 400, options(Order.PSM))
    assert planned.plan.encoded == len(planned.prompt.tokens) - 256
    assert_close(logits, fresh_logits(planned.prompt.tokens), **CLOSE)


def test_an_edit_or_cursor_outside_the_text_is_refused() -> None:
    file = session()
    file.show("abc\n")
    with pytest.raises(EditOutOfRange):
        file.edit(3, 9, "x")
    with pytest.raises(EditOutOfRange):
        prepare(file, 9, options(Order.PSM))
    assert file.text.text == "abc\n"


def test_two_versions_of_a_text_differ_by_as_many_edits_as_places() -> None:
    lines = [f"line {i} of some text that is long enough\n" for i in range(200)]
    new = [*lines[:3], "inserted\n", *lines[3:150], *lines[152:190], "x\n", *lines[191:]]
    found = hunks("".join(lines), "".join(new))
    assert len(found) == 3
    text = "".join(lines)
    for hunk in found:
        text = text[: hunk.start] + hunk.new + text[hunk.stop :]
    assert text == "".join(new)
    assert hunks("abc", "abc") == []
    assert hunks("ab", "axb") == [(1, 1, "x")]


def test_a_window_stays_until_the_cursor_comes_near_its_end() -> None:
    first = choose(10_000, 5_000, 1_000, 0.75, None)
    assert first.stop - first.start == 875
    assert choose(10_000, 5_050, 1_000, 0.75, first) is first
    assert choose(10_000, 5_210, 1_000, 0.75, first) != first
    assert choose(900, 100, 1_000, 0.75, first) == Span(0, 900)
    assert choose(10_000, 100, 1_000, 0.75, None) == Span(0, 875)
    assert choose(10_000, 10_000, 1_000, 0.75, None) == Span(9_125, 10_000)


def test_names_of_an_edit_include_the_word_it_only_touches() -> None:
    related = Related()
    related.saw("def compute_all(x):", 11, "", "_all")
    assert related.names == {"compute_all"}
    assert related.lines("a\ncompute_all\nb\ncompute_all2\n", 0, 30, 5) == [(2, 14)]
