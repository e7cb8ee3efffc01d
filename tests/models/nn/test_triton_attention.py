"""Our kernel says what the readable attention says, in Triton's interpreter and on a GPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from keyturn.cache.element import Floats
from keyturn.cache.segment import Step
from keyturn.models.nn.attention import readable_partial
from keyturn.models.nn.segment_attention import BySegments, Heads
from support.models.random_steps import LAYER, Case, build, cases, copy_of

if sys.platform != "linux":
    pytest.skip("triton has wheels for Linux only", allow_module_level=True)
if torch.cuda.is_available():
    pytest.skip("on a GPU, tests/bench/gpu.py compares them", allow_module_level=True)

from keyturn.models.nn.triton_attention import StepKernels

EXAMPLES = 8  # the interpreter takes up to a second for one
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)  # and minutes to make a failure small


def projections(case: Case, dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(case.seed + 1)
    queries = sum(queries for _, queries in case.parts)
    return torch.randn(queries, case.heads.projected, case.heads.head_dim).to(dtype)


def compare(case: Case, dtype: torch.dtype, splits: int, spare: int = 0, **tolerance: Any) -> None:
    """Kernel against twin, with room for `spare` tokens more than there are."""
    step, arena, table = build(case, Floats(dtype))
    other, raw = copy_of(arena), projections(case, dtype)
    expected = BySegments(case.heads, table, step, arena, readable_partial)(raw, LAYER)
    kernel = StepKernels(case.heads, table, len(step) + spare, splits=splits).show(step, other)
    padded = torch.cat((raw, raw.new_full((spare, *raw.shape[1:]), torch.nan)))
    found = kernel(padded, LAYER)[: len(step)]
    assert_close(found, expected, **tolerance)
    assert_close(other.keys, arena.keys, **tolerance)
    assert torch.equal(other.values, arena.values)


@given(cases(), st.sampled_from([1, 2, 8]))
@settings(max_examples=EXAMPLES, deadline=None, phases=QUICK)
def test_the_kernel_attends_and_stores_as_the_readable_twin(case: Case, splits: int) -> None:
    compare(case, torch.float32, splits, atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@given(cases(), st.sampled_from([1, 2, 4, 8]), st.integers(0, 3))
@settings(max_examples=150, deadline=None, phases=QUICK)
def test_the_kernel_attends_and_stores_as_the_readable_twin_at_length(
    case: Case, splits: int, spare: int
) -> None:
    compare(case, torch.float32, splits, spare, atol=2e-5, rtol=1e-4)


@given(cases(), st.integers(1, 4))
@settings(max_examples=3, deadline=None, phases=QUICK)
def test_tokens_that_only_fill_a_bucket_change_nothing(case: Case, spare: int) -> None:
    compare(case, torch.float32, 4, spare, atol=2e-5, rtol=1e-4)


@given(cases())
@settings(max_examples=4, deadline=None, phases=QUICK)
def test_half_precision_is_within_its_rounding(case: Case) -> None:
    compare(case, torch.float16, 4, atol=2e-3, rtol=2e-3)


def test_keys_and_values_in_bfloat16_are_stored_within_its_rounding() -> None:
    """Only they: the interpreter multiplies bfloat16 matrices as if they were integers."""
    case = Case(Heads(2, 2, 64, 0.125), [(5, 0)], [(1, 3)], 1)
    step, arena, table = build(case, Floats(torch.bfloat16))
    other, raw = copy_of(arena), projections(case, torch.bfloat16)
    BySegments(case.heads, table, step, arena, readable_partial)(raw, LAYER)
    StepKernels(case.heads, table, 3, splits=1).show(step, other)(raw, LAYER)
    assert_close(other.keys, arena.keys, atol=2e-2, rtol=8e-3)
    assert torch.equal(other.values, arena.values)


SUPPORT = Path(__file__).parents[2] / "support"
SLOW = pytest.mark.slow
MACHINES = [  # compute capability, head_dim, type, query heads per key head, rows of a program
    "80 64 bf16 7 16",
    pytest.param("90 128 bf16 6 64", marks=SLOW),
    pytest.param("89 128 fp16 6 64", marks=SLOW),
    pytest.param("90 64 fp32 7 64", marks=SLOW),
]


@pytest.mark.parametrize("machine", MACHINES)
def test_the_kernels_compile_for_gpus_that_are_not_here(machine: str, tmp_path: Path) -> None:
    """The interpreter takes Python that the compiler does not."""
    environment = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    script = SUPPORT / "models" / "compile_kernels.py"
    done = subprocess.run(
        [sys.executable, str(script), *machine.split()],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shared_bytes = {line.split()[0]: int(line.split()[2]) for line in done.stdout.splitlines()}
    assert shared_bytes.keys() == {"_store", "_attend", "_merge"}
    assert max(shared_bytes.values()) <= 99 * 1024  # what small GPUs give a program


def test_one_kernel_serves_step_after_step_and_an_arena_that_grows() -> None:
    heads = Heads(2, 1, 64, 0.125)
    first, arena, table = build(Case(heads, [(70, 9)], [(1, 3)], 5))
    other = copy_of(arena)
    kernel = StepKernels(heads, table, 4, splits=2)
    for step in (first, Step(first.parts, first.visible[1:])):
        for each in (arena, other):
            each.resize(each.rows + 5)
        raw = torch.randn(3, heads.projected, 64)
        expected = BySegments(heads, table, step, arena, readable_partial)(raw, LAYER)
        assert_close(kernel.show(step, other)(raw, LAYER), expected, atol=2e-5, rtol=1e-4)
