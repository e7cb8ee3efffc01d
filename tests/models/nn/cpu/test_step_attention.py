"""Our attention for processors says what the readable attention says, each token as if alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from keyturn.cache.pool import Arena
from keyturn.cache.rope import RotaryTable
from keyturn.cache.segment import Part, Segment, Step
from keyturn.models.nn.attention import readable_partial
from keyturn.models.nn.cpu.launch import BLOCK_KEYS, UNIT_KEYS
from keyturn.models.nn.cpu.proof import by_rounded_queries
from keyturn.models.nn.cpu.step_attention import ByUnits
from keyturn.models.nn.segment_attention import BySegments, Heads
from support.models.native import native, processors
from support.models.random_steps import FLOAT32, LAYER, Case, build, cases, codes, copy_of

if not processors():
    pytest.skip("our kernels need an x86 processor with AVX2", allow_module_level=True)

EVERYWHERE = pytest.mark.parametrize("processor", processors())
HEADS = Heads(14, 2, 64, 0.125)
EDGES = [UNIT_KEYS, UNIT_KEYS + 1, 2 * UNIT_KEYS, BLOCK_KEYS, BLOCK_KEYS - 1, 3 * BLOCK_KEYS + 1]


def projections(case: Case) -> Tensor:
    torch.manual_seed(case.seed + 1)
    queries = sum(queries for _, queries in case.parts)
    return torch.randn(queries, case.heads.projected, case.heads.head_dim)


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare(case: Case, processor: str) -> None:
    step, arena, table = build(case)
    other, raw = copy_of(arena), projections(case)
    expected = readable(case.heads, table, step, arena, raw)
    found = ByUnits(case.heads, table, step, other, native(processor))(raw, LAYER)
    assert_close(found, expected, atol=2e-5, rtol=2e-5)
    assert_close(other.keys, arena.keys, atol=2e-5, rtol=2e-5)
    assert torch.equal(other.values, arena.values)


def compare_codes(case: Case, processor: str) -> None:
    """The twin reads the rows that ours stored, so that no code is one off."""
    ours, element = native(processor), codes(case.heads, case.seed)
    step, arena, table = build(case, element)
    other, raw = copy_of(arena), projections(case)
    found = ByUnits(case.heads, table, step, other, ours)(raw, LAYER)
    readable(case.heads, table, step, arena, raw)
    for row in own_rows(step):
        keys, expected = other.read(LAYER, row, row + 1)[0], arena.read(LAYER, row, row + 1)[0]
        most = (expected / element.factors[LAYER, :, None]).abs().amax(dim=2, keepdim=True)
        assert ((keys - expected).abs() <= most / 60 * element.factors[LAYER, :, None]).all()
    assert torch.equal(other.values, arena.values)
    arena.keys.copy_(other.keys)
    largest = ours.processor.query_codes
    partial = by_rounded_queries(largest, element.factors[LAYER])
    with patch.object(arena, "write"):
        expected = BySegments(case.heads, table, step, arena, partial)(raw, LAYER)
    # Half a code of each weight: for 64 keys of a few codes each a deviation of 1.4 codes in one
    # entry, and with few keys that count much less in most.
    code = 1 / ours.processor.weight_codes
    assert_close(found, expected, atol=7 * code, rtol=7 * code)
    assert (found - expected).abs().mean() < code


def own_rows(step: Step) -> list[int]:
    return [row for part in step.parts for row in range(part.row, part.row + len(part.positions))]


def readable(heads: Heads, table: RotaryTable, step: Step, arena: Arena, raw: Tensor) -> Tensor:
    return BySegments(heads, table, step, arena, readable_partial)(raw, LAYER)


@EVERYWHERE
@given(cases())
@settings(max_examples=60, deadline=None)
def test_it_attends_and_stores_as_the_readable_twin(processor: str, case: Case) -> None:
    compare(case, processor)


@EVERYWHERE
@given(cases())
@settings(max_examples=60, deadline=None)
def test_keys_and_values_may_be_of_eight_bits(processor: str, case: Case) -> None:
    compare_codes(case, processor)


@EVERYWHERE
@pytest.mark.parametrize("length", EDGES)
@pytest.mark.parametrize("queries", [1, 3, 9, 130])
def test_a_segment_of_any_length_is_seen_to_its_end(
    processor: str, length: int, queries: int
) -> None:
    case = Case(HEADS, [(length, 4)], [(1, queries)], 0)
    compare(case, processor)
    compare_codes(case, processor)


@EVERYWHERE
@pytest.mark.parametrize("dim", [32, 64, 96, 128, 256])
def test_heads_of_any_number_of_whole_vectors_are_taken(processor: str, dim: int) -> None:
    heads = Heads(6, 2, dim, dim**-0.5)
    case = Case(heads, [(40, 4), (9, 0)], [(2, 6)], 0)
    compare(case, processor)
    compare_codes(case, processor)


@EVERYWHERE
@given(cases(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_each_token_gets_bit_for_bit_what_it_gets_alone(
    processor: str, case: Case, eight_bits: bool
) -> None:
    step, arena, table = build(case, codes(case.heads, 1) if eight_bits else FLOAT32)
    other, raw = copy_of(arena), projections(case)
    together = ByUnits(case.heads, table, step, arena, native(processor))(raw, LAYER)
    row = 0
    for part in step.parts:
        for index, position in enumerate(part.positions):
            alone = Step(
                (Part(range(position, position + 1), part.row + index),), until(step, position)
            )
            own = raw[row : row + 1]
            found = ByUnits(case.heads, table, alone, other, native(processor))(own, LAYER)
            assert torch.equal(found[0], together[row]), (position, row)
            row += 1
    assert torch.equal(arena.keys, other.keys)


def until(step: Step, position: int) -> tuple[Segment, ...]:
    """What a token at `position` sees."""
    seen = [s for s in step.visible if s.position <= position]
    return tuple(replace(s, length=min(s.length, position + 1 - s.position)) for s in seen)


@EVERYWHERE
@given(cases(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_number_of_threads_changes_no_bit(processor: str, case: Case, eight_bits: bool) -> None:
    step, arena, table = build(case, codes(case.heads, 1) if eight_bits else FLOAT32)
    raw, found = projections(case), []
    for threads in (1, 2, 3):
        with on_threads(threads):
            found.append(ByUnits(case.heads, table, step, arena, native(processor))(raw, LAYER))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_one_attention_serves_every_layer_of_its_step() -> None:
    case = Case(HEADS, [(70, 9), (300, -3)], [(2, 3)], 5)
    step, arena, table = build(case)
    other, raw = copy_of(arena), projections(case)
    ours = ByUnits(case.heads, table, step, other, native())
    twin = BySegments(case.heads, table, step, arena, readable_partial)
    for layer in (0, 1, 0):
        assert_close(ours(raw, layer), twin(raw, layer), atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("eight_bits", [False, True])
def test_what_is_no_number_stays_with_its_token(eight_bits: bool) -> None:
    case = Case(HEADS, [(40, 0)], [(1, 2)], 5)
    step, arena, table = build(case, codes(HEADS, 1) if eight_bits else FLOAT32)
    raw = projections(case)
    raw[1, :14] = torch.nan
    found = ByUnits(case.heads, table, step, arena, native())(raw, LAYER)
    assert found[0].isfinite().all()
    assert found[1].isnan().all()


@EVERYWHERE
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, 1e38])
def test_a_key_and_a_value_that_are_huge_or_no_numbers_leave_the_others_numbers(
    processor: str, bad: float
) -> None:
    """What is no number is kept as zeros, so that it does not spread to those who see it."""
    case = Case(HEADS, [(40, 0)], [(1, 3)], 5)
    step, arena, table = build(case, codes(HEADS, 1))
    other, raw = copy_of(arena), projections(case)
    before = ByUnits(case.heads, table, step, other, native(processor))(raw, LAYER)
    raw[1, 14:, 7] = bad
    found = ByUnits(case.heads, table, step, arena, native(processor))(raw, LAYER)
    assert torch.equal(found[0], before[0])
    assert found.isfinite().all()
    rows = [row for row in range(arena.rows) if row != own_rows(step)[1]]
    assert torch.equal(arena.keys[:, :, rows], other.keys[:, :, rows])
    assert torch.equal(arena.values[:, :, rows], other.values[:, :, rows])
