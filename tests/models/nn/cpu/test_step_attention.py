"""Our attention for processors says what the readable attention says, each token as if alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

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
from keyturn.models.nn.cpu.step_attention import ByUnits
from keyturn.models.nn.segment_attention import BySegments, Heads
from support.models.native import native, processors
from support.models.random_steps import LAYER, Case, build, cases, copy_of

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


def compare(case: Case, processor: str, dtype: torch.dtype, tolerance: float) -> None:
    step, arena, table = build(case, dtype)
    other, raw = copy_of(arena), projections(case)
    expected = readable(case.heads, table, step, arena, raw)
    found = ByUnits(case.heads, table, step, other, native(processor))(raw, LAYER)
    assert_close(found, expected, atol=tolerance, rtol=tolerance)
    assert_close(other.keys, arena.keys, atol=tolerance, rtol=tolerance)
    assert torch.equal(other.values, arena.values)


def readable(heads: Heads, table: RotaryTable, step: Step, arena: Arena, raw: Tensor) -> Tensor:
    return BySegments(heads, table, step, arena, readable_partial)(raw, LAYER)


@EVERYWHERE
@given(cases())
@settings(max_examples=60, deadline=None)
def test_it_attends_and_stores_as_the_readable_twin(processor: str, case: Case) -> None:
    compare(case, processor, torch.float32, 2e-5)


@EVERYWHERE
@given(cases())
@settings(max_examples=30, deadline=None)
def test_keys_and_values_may_be_of_half_the_size(processor: str, case: Case) -> None:
    compare(case, processor, torch.float16, 2e-3)


@EVERYWHERE
@pytest.mark.parametrize("length", EDGES)
@pytest.mark.parametrize("queries", [1, 3, 9, 130])
def test_a_segment_of_any_length_is_seen_to_its_end(
    processor: str, length: int, queries: int
) -> None:
    compare(Case(HEADS, [(length, 4)], [(1, queries)], 0), processor, torch.float32, 2e-5)


@EVERYWHERE
@pytest.mark.parametrize("dim", [32, 64, 96, 128, 256])
def test_heads_of_any_number_of_whole_vectors_are_taken(processor: str, dim: int) -> None:
    heads = Heads(6, 2, dim, dim**-0.5)
    compare(Case(heads, [(40, 4), (9, 0)], [(2, 6)], 0), processor, torch.float32, 2e-5)


@EVERYWHERE
@given(cases(), st.sampled_from([torch.float32, torch.float16]))
@settings(max_examples=40, deadline=None)
def test_each_token_gets_bit_for_bit_what_it_gets_alone(
    processor: str, case: Case, dtype: torch.dtype
) -> None:
    step, arena, table = build(case, dtype)
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
@given(cases())
@settings(max_examples=20, deadline=None)
def test_the_number_of_threads_changes_no_bit(processor: str, case: Case) -> None:
    step, arena, table = build(case)
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


def test_what_is_no_number_stays_with_its_token() -> None:
    case = Case(HEADS, [(40, 0)], [(1, 2)], 5)
    step, arena, table = build(case)
    raw = projections(case)
    raw[1, :14] = torch.nan
    found = ByUnits(case.heads, table, step, arena, native())(raw, LAYER)
    assert found[0].isfinite().all()
    assert found[1].isnan().all()
