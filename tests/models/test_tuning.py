"""Kernels are chosen by what was measured, remembered, and measured again when that is lost."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from keyturn.models.kernels import Kernel, KernelPlan, make
from keyturn.models.linear import Int8Weight, LateLinear
from keyturn.models.tuning import DEFAULT, Measured, choose, fastest, machine, measure

FBGEMM: Kernel = "int8-fbgemm"
ONEDNN: Kernel = "int8-onednn"
WEIGHTS: Kernel = "int8-weight-only"


def times(**by_kernel: Sequence[float]) -> Measured:
    return Measured("int8", {k.replace("_", "-"): v for k, v in by_kernel.items()})  # type: ignore


def test_one_kernel_that_is_never_beaten_is_the_whole_plan() -> None:
    found = times(int8_fbgemm=[1, 1, 2, 3, 9, 30], float32=[4, 9, 9, 9, 20, 60])
    assert choose(found) == KernelPlan("int8", FBGEMM)


def test_each_number_of_tokens_gets_its_fastest_kernel() -> None:
    found = times(
        int8_fbgemm=[2, 3, 4, 5, 20, 80],
        int8_onednn=[9, 9, 9, 9, 10, 40],
        int8_weight_only=[1, 4, 8, 16, 64, 256],
    )
    plan = choose(found)
    assert (plan.buckets, plan.rest) == (((1, WEIGHTS), (16, FBGEMM)), ONEDNN)
    assert plan.early == ONEDNN


def test_a_second_kernel_must_be_worth_its_memory() -> None:
    found = times(int8_fbgemm=[1, 1, 2, 3, 10, 31], int8_onednn=[3, 3, 3, 3, 9.5, 30])
    assert choose(found).buckets == ()


def test_floats_are_taken_where_they_win_and_never_where_integers_are_asked_for() -> None:
    found = times(int8_fbgemm=[9, 9, 9, 9, 20, 80], bfloat16=[2, 2, 2, 2, 10, 40])
    assert choose(found) == KernelPlan.floating("bfloat16")
    assert choose(found, integers_only=True).rest == FBGEMM


def test_what_was_measured_is_remembered(tmp_path: Path) -> None:
    taken, notes = times(float32=[1, 1, 2, 3, 9, 30]), []
    for _ in range(2):
        plan = fastest(tmp_path, notes.append, take=lambda: taken, busy=lambda: False)
        assert plan == KernelPlan.floating("float32")
    assert len(notes) == 1


def test_a_busy_machine_is_measured_another_time(tmp_path: Path) -> None:
    taken = times(float32=[1, 1, 2, 3, 9, 30])
    assert fastest(tmp_path, print, take=lambda: taken, busy=lambda: True) == DEFAULT
    assert not (tmp_path / "kernels.json").exists()
    assert fastest(tmp_path, print, take=lambda: taken, busy=lambda: False).rest == "float32"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"machine": 3}', '{"machine": {"form": 1}}'])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / "kernels.json").write_text(content.replace("machine", machine()))
    taken = times(float32=[1, 1, 1, 1, 1, 1])
    plan = fastest(tmp_path, print, take=lambda: taken, busy=lambda: False)
    assert plan == KernelPlan.floating("float32")


@pytest.mark.slow
def test_a_chosen_plan_does_not_overflow_here() -> None:
    found = measure()
    assert min(t for kernel in found.times_us.values() for t in kernel) > 0
    plan = choose(found, integers_only=True)
    levels = 63 if plan.form == "int7" else 127
    kernels: set[Kernel] = {plan.rest, *(k for _, k in plan.buckets), plan.early or plan.rest}
    for kernel in kernels:
        product = make(kernel, Int8Weight.quantise(torch.ones(32, 64), levels))
        torch.testing.assert_close(product(torch.ones(3, 64)), torch.full((3, 32), 64.0))


def test_settling_changes_no_result() -> None:
    torch.manual_seed(0)
    weight, bias, x = (
        Int8Weight.quantise(torch.randn(96, 64), 63),
        torch.randn(96),
        torch.randn(5, 64),
    )
    late = LateLinear(make(ONEDNN, weight, bias), lambda: make(FBGEMM, weight, bias))
    before = late(x)
    late.settle()
    late.settle()
    assert torch.equal(late(x), before)
    assert late.make_late is None
