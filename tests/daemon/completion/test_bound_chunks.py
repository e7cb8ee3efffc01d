"""Chunks of other files in front of a file's prompts: as good as encoded there, and never wrong."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from keyturn.api.report import ChunkUse
from keyturn.cache.quantised import QuantisedRows
from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.bound_chunks import BoundChunk
from keyturn.daemon.completion.chunk_encoder import ChunkEncoder
from keyturn.daemon.completion.file_session import FileSession
from keyturn.models.device import aside
from keyturn.models.nn.reencode import encode
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions
from keyturn.models.prompts.templates import Order
from support.daemon.model_engines import tiny_loaded
from support.models.tiny_tokenizer import PAGE

ORDERS = list(Order)
TEXTS = ["# one.py\ndef one(a, b):\n\n", "# two.py\nclass Two:\n    x: int\n\n", "# three.py\n\n"]
CLOSE: Any = {"atol": 1e-3, "rtol": 1e-3}


def new_session() -> FileSession:
    loaded = tiny_loaded()
    sequence = CachedSequence(loaded.model.new_arena(0))
    return FileSession(loaded.model, loaded.tokenizer, PromptBuilder(loaded.tokenizer), sequence)


def options(order: Order) -> PromptOptions:
    return PromptOptions(2000, order=order)


def chunks(order: Order, texts: list[str]) -> list[BoundChunk]:
    loaded = tiny_loaded()
    sink = PromptBuilder(loaded.tokenizer).sink(options(order))
    encoder = ChunkEncoder(loaded.model, sink, aside(torch.device("cpu")))
    found = []
    for text in texts:
        tokens = loaded.tokenizer.encode(text)
        rows = encoder.encode(tokens, lambda: False)
        assert rows is not None
        found.append(BoundChunk(ChunkUse(text[2:8], 1, ""), text, tuple(tokens), rows))
    return found


def prepare(session: FileSession, cursor: int, order: Order) -> Tensor:
    return session.fill(session.plan(cursor, options(order)))


@torch.inference_mode()
def composed(sink: list[int], shown: list[BoundChunk], tokens: list[int]) -> Tensor:
    """The readable twin: every chunk's keys turned one by one, everything else encoded in order."""
    model = tiny_loaded().model
    sequence = CachedSequence(model.new_arena())
    encode(model, sequence, sequence.append(sink))
    for chunk in shown:
        for index, token in enumerate(chunk.tokens):
            step = sequence.append([token])
            row = sequence.arena.rows and step.parts[0].row
            alone = restored(chunk.rows)
            alone.turn(index, index + 1, len(sequence) - 1)
            sequence.arena.keys[:, :, row] = alone.keys[:, :, index]
            sequence.arena.values[:, :, row] = alone.values[:, :, index]
    return model.logits(encode(model, sequence, sequence.append(tokens))[-1:])[0]


@torch.inference_mode()
def prefilled(tokens: Sequence[int]) -> Tensor:
    model = tiny_loaded().model
    sequence = CachedSequence(model.new_arena())
    return model.logits(encode(model, sequence, sequence.append(tokens))[-1:])[0]


def restored(rows: QuantisedRows):
    arena = tiny_loaded().model.new_arena(len(rows))
    arena.keys[:] = rows.keys * rows.key_scales + rows.key_means
    arena.values[:] = rows.values * rows.value_scales
    return arena


@pytest.mark.parametrize("order", ORDERS)
def test_a_file_encoded_behind_chunks_equals_its_readable_twin(order: Order) -> None:
    session, shown = new_session(), chunks(order, TEXTS)
    session.show(PAGE)
    session.chunks.bind(shown)
    cursor = len(PAGE) // 2
    planned = session.plan(cursor, options(order))
    logits = session.fill(planned)
    session.sequence.check_integrity()
    start, stop = planned.prompt.chunks
    assert list(planned.prompt.tokens[start:stop]) == [t for c in shown for t in c.tokens]
    sink, rest = planned.prompt.tokens[:start], planned.prompt.tokens[stop:]
    assert_close(logits, composed(list(sink), shown, list(rest)), **CLOSE)


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("order", ORDERS)
def test_idle_time_makes_the_cache_what_a_prefill_of_the_same_prompt_gives(
    order: Order, early: bool
) -> None:
    session, shown = new_session(), chunks(order, TEXTS)
    session.show(PAGE)
    cursor = len(PAGE) // 2
    if not early:
        prepare(session, cursor, order)
    session.chunks.bind(shown)
    prepare(session, cursor, order)
    session.sequence.check_integrity()
    assert session.staleness().unseeing > 0
    while session.refresh(7):
        session.sequence.check_integrity()
    assert session.sequence.inexact() == []
    planned = session.plan(cursor, options(order))
    assert_close(session.fill(planned), prefilled(planned.prompt.tokens), **CLOSE)


@pytest.mark.parametrize("order", ORDERS)
def test_binding_costs_the_next_completion_no_more_than_the_prompts_markers(order: Order) -> None:
    session = new_session()
    session.show(PAGE)
    cursor = len(PAGE) // 2
    prepare(session, cursor, order)
    session.chunks.bind(chunks(order, TEXTS))
    planned = session.plan(cursor, options(order))
    markers = sum(map(len, planned.target.markers()))
    assert planned.plan.encoded <= markers + 1


@pytest.mark.parametrize("order", ORDERS)
def test_without_chunks_the_prompt_is_the_old_one_again_to_the_bit(order: Order) -> None:
    session, plain = new_session(), new_session()
    for each in (session, plain):
        each.show(PAGE)
    cursor = len(PAGE) // 2
    session.chunks.bind(chunks(order, TEXTS))
    prepare(session, cursor, order)
    session.chunks.bind([])
    session.sequence.truncate(0)
    ours, theirs = prepare(session, cursor, order), prepare(plain, cursor, order)
    assert session.sequence.tokens == plain.sequence.tokens
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("order", ORDERS)
def test_edits_jumps_and_changes_of_chunks_end_in_the_cache_that_a_new_session_has(
    order: Order,
) -> None:
    session, random = new_session(), Random(str(order))
    text, cursor = PAGE * 2, 0
    session.show(text)
    made = chunks(order, TEXTS)
    for _ in range(25):
        if random.random() < 0.5:
            session.chunks.bind(random.sample(made, random.randint(0, len(made))))
            session.sequence.check_integrity()
        start = random.randint(0, len(text))
        stop = min(len(text), start + random.choice([0, 0, 1, 30]))
        new = random.choice(["x", "\n    ", "def g(a):\n", "", " = 1"])
        session.edit(start, stop, new)
        text = text[:start] + new + text[stop:]
        cursor = random.randint(0, len(text))
        planned = session.plan(cursor, options(order))
        session.fill(planned)
        session.sequence.check_integrity()
        assert session.sequence.tokens == list(planned.prompt.tokens)
        start, stop = planned.prompt.chunks
        assert list(planned.prompt.tokens[start:stop]) == session.chunks.tokens
    while session.refresh(64):
        pass
    planned = session.plan(cursor, options(order))
    assert_close(session.fill(planned), prefilled(planned.prompt.tokens), **CLOSE)


def test_a_cache_that_gave_way_begins_with_the_chunks_again() -> None:
    order = Order.SUFFIX_FIRST
    session = new_session()
    session.show(PAGE)
    session.chunks.bind(chunks(order, TEXTS))
    first = prepare(session, len(PAGE), order)
    session.sequence.clear()
    assert_close(prepare(session, len(PAGE), order), first, **CLOSE)


def test_a_cache_of_another_time_with_other_chunks_is_not_taken_for_these() -> None:
    order = Order.SUFFIX_FIRST
    made = chunks(order, TEXTS)
    session, other = new_session(), new_session()
    for each, shown in ((session, made[:2]), (other, made[1:])):
        each.show(PAGE)
        each.chunks.bind(shown)
    expected = prepare(other, len(PAGE), order)
    prepare(session, len(PAGE), order)
    session.chunks.shown = tuple(made[1:])  # as if the sequence had come back from a spill
    assert_close(prepare(session, len(PAGE), order), expected, **CLOSE)


def test_encoding_gives_way_and_leaves_nothing_behind() -> None:
    loaded = tiny_loaded()
    encoder = ChunkEncoder(loaded.model, [1], aside(torch.device("cpu")))
    tokens = loaded.tokenizer.encode(PAGE)
    calls = iter([False, False, True])
    assert encoder.encode(tokens, lambda: next(calls)) is None
    again = encoder.encode(tokens, lambda: False)
    other = ChunkEncoder(loaded.model, [1], aside(torch.device("cpu")))
    once = other.encode(tokens, lambda: False)
    assert again is not None
    assert once is not None
    assert torch.equal(again.keys, once.keys)


@pytest.mark.parametrize("order", ORDERS)
def test_chunks_encoded_behind_each_other_are_what_a_prefill_of_the_prompt_gives(order: Order):
    loaded = tiny_loaded()
    builder = PromptBuilder(loaded.tokenizer)
    encoder = ChunkEncoder(loaded.model, builder.sink(options(order)), aside(torch.device("cpu")))
    found: list[BoundChunk] = []
    for text in TEXTS:
        tokens = loaded.tokenizer.encode(text)
        rows = encoder.encode(tokens, lambda: False, [each.piece for each in found])
        assert rows is not None
        found.append(BoundChunk(ChunkUse(text[2:8], 1, ""), text, tuple(tokens), rows))
    session = new_session()
    session.show(PAGE)
    session.chunks.bind(found)
    planned = session.plan(len(PAGE) // 2, options(order))
    ours = session.fill(planned)
    fresh = CachedSequence(loaded.model.new_arena())
    with torch.inference_mode():
        hidden = encode(loaded.model, fresh, fresh.append(planned.prompt.tokens))
        theirs = loaded.model.logits(hidden[-1:])[0]
    alone = new_session()
    alone.show(PAGE)
    alone.chunks.bind(chunks(order, TEXTS))
    apart = alone.fill(alone.plan(len(PAGE) // 2, options(order)))
    assert (ours - theirs).abs().max() < 0.02  # eight bits
    assert (ours - theirs).abs().max() < (apart - theirs).abs().max()


def test_what_interrupts_the_encoding_of_chunks_leaves_nothing_behind():
    loaded = tiny_loaded()
    sink = PromptBuilder(loaded.tokenizer).sink(options(ORDERS[0]))
    encoder = ChunkEncoder(loaded.model, sink, aside(torch.device("cpu")))
    before = [each.piece for each in chunks(ORDERS[0], TEXTS[:1])]
    tokens = loaded.tokenizer.encode(TEXTS[1] * 3)
    looks = 0

    def count() -> bool:
        nonlocal looks
        looks += 1
        return False

    whole = encoder.encode(tokens, count, before)
    assert whole is not None
    for after in range(looks):
        left = iter(range(after))
        assert encoder.encode(tokens, lambda left=left: next(left, None) is None, before) is None
    again = encoder.encode(tokens, lambda: False, before)
    assert again is not None
    assert torch.equal(again.keys, whole.keys)
    assert torch.equal(again.values, whole.values)
