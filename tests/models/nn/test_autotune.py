"""Kernels are chosen by what was measured, remembered, and measured again when that is lost."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Event

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.nn.autotune import Measured, choose, fastest, machine, measure, unmeasured
from keyturn.models.nn.exactness import FBGEMM, INTEGER_SUMS, ONEDNN, OWN, SHORT, exact, probe
from keyturn.models.nn.kernels import LEVELS, Form, Kernel, KernelPlan, make
from keyturn.models.nn.linear import FloatLinear, Int8Weight, LateLinear

WEIGHTS: Kernel = "int8-weight-only"


def times(exact: Sequence[Kernel] = INTEGER_SUMS, **by_kernel: Sequence[float]) -> Measured:
    named = {k.replace("_", "-"): list(v) for k, v in by_kernel.items()}
    return Measured("int8", list(exact), named)  # type: ignore[arg-type]


def test_one_kernel_that_is_never_beaten_is_the_whole_plan() -> None:
    found = times(int8_fbgemm=[1, 1, 2, 3, 9, 30], float32=[4, 9, 9, 9, 20, 60])
    assert choose(found) == KernelPlan("int8", FBGEMM)


def test_each_number_of_tokens_gets_its_fastest_kernel() -> None:
    found = times(
        int8_fbgemm=[2, 3, 4, 5, 20, 80],
        int8_onednn=[9, 9, 9, 9, 10, 40],
    )
    plan = choose(found)
    assert (plan.buckets, plan.rest) == (((16, FBGEMM),), ONEDNN)
    assert plan.early == ONEDNN


def test_our_own_kernel_is_the_whole_plan_where_it_is_the_fastest() -> None:
    own = [1, 1, 2, 3, 9, 31]
    found = times(int8_numba=own, int8_fbgemm=[2, 2, 3, 4, 10, 30], float32=[9] * 6)
    assert choose(found) == KernelPlan("int8", OWN)


def test_our_own_kernel_is_left_alone_where_it_reads_prompts_slowly() -> None:
    own = [1, 1, 2, 3, 20, 80]
    found = times(int8_numba=own, int8_fbgemm=[2, 2, 3, 4, 10, 30])
    assert choose(found) == KernelPlan("int8", FBGEMM)
    assert choose(found, wanted="int8") == KernelPlan("int8", FBGEMM)


def test_five_bits_are_taken_where_they_are_fast_and_never_where_eight_are_asked_for() -> None:
    exact: list[Kernel] = [SHORT, *INTEGER_SUMS]
    fast = times(exact, int5_numba=[1] * 6, int8_numba=[2] * 6, int8_fbgemm=[3] * 6)
    assert choose(fast) == KernelPlan("int5", SHORT)
    assert choose(fast, wanted="int8") == KernelPlan("int8", OWN)
    slow = times(exact, int5_numba=[1] * 5 + [9], int8_numba=[2] * 6, int8_fbgemm=[3] * 6)
    assert choose(slow) == KernelPlan("int8", OWN)


def test_kernels_that_round_each_in_its_own_way_are_not_mixed() -> None:
    found = times(
        int8_fbgemm=[2, 3, 4, 5, 20, 80],
        int8_onednn=[9, 9, 9, 9, 10, 40],
        int8_weight_only=[1, 4, 8, 16, 64, 256],
        exact=[FBGEMM],
    )
    assert choose(found) == KernelPlan("int8", FBGEMM)


def test_a_plan_says_when_its_sums_are_not_exact() -> None:
    found = times(int8_fbgemm=[2, 3, 4, 5, 20, 80], int8_onednn=[9] * 6, exact=[])
    plan = choose(found)
    assert plan == KernelPlan("int8", FBGEMM, exact=False)
    assert "not exact" in str(plan)
    assert "not exact" not in str(choose(times(int8_fbgemm=[2, 3, 4, 5, 20, 80])))


def test_a_second_kernel_must_be_worth_its_memory() -> None:
    found = times(int8_fbgemm=[1, 1, 2, 3, 10, 31], int8_onednn=[3, 3, 3, 3, 9.5, 30])
    assert choose(found).buckets == ()


def test_floats_are_taken_where_they_win_and_never_where_integers_are_asked_for() -> None:
    found = times(int8_fbgemm=[9, 9, 9, 9, 20, 80], bfloat16=[2, 2, 2, 2, 10, 40])
    assert choose(found) == KernelPlan.floating("bfloat16")
    assert choose(found, wanted="int8").rest == FBGEMM


def test_what_was_measured_is_remembered(tmp_path: Path) -> None:
    taken, notes = times(float32=[1, 1, 2, 3, 9, 30]), []
    for _ in range(2):
        plan = fastest(tmp_path, notes.append, take=lambda: taken, busy=lambda: False)
        assert plan == KernelPlan.floating("float32")
    assert len(notes) == 1


def test_a_busy_machine_is_measured_another_time(tmp_path: Path) -> None:
    taken = times(float32=[1, 1, 2, 3, 9, 30])
    assert fastest(tmp_path, print, take=lambda: taken, busy=lambda: True) == unmeasured()
    assert not (tmp_path / "kernels.json").exists()
    assert fastest(tmp_path, print, take=lambda: taken, busy=lambda: False).rest == "float32"


def remembered(form: str = "int8", exact: str = "[]", lap: str = "[1, 1, 1, 1, 1, 1]") -> str:
    times = f'{{"int8-fbgemm": {lap}}}'
    return f'{{"machine": {{"form": "{form}", "exact": {exact}, "times_us": {times}}}}}'


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"machine": 3}',
        '{"machine": {"form": 1}}',
        '{"machine": {"form": "int8", "exact": [], "times_us": {}}}',
        remembered(form="int9"),
        remembered(exact="7"),
        remembered(exact='["int8-fast"]'),
        remembered(lap="[1]"),
        remembered(lap="[1, 1, 1, 1, 1, -1]"),
        remembered(lap="[1, 1, 1, 1, 1, NaN]"),
        remembered(lap='["a", "b", "c", "d", "e", "f"]'),
        remembered(lap="3").replace("fbgemm", "fast"),
    ],
)
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / "kernels.json").write_text(content.replace("machine", machine()))
    taken = times(float32=[1, 1, 1, 1, 1, 1])
    plan = fastest(tmp_path, print, take=lambda: taken, busy=lambda: False)
    assert plan == KernelPlan.floating("float32")


def test_saturating_sums_are_not_exact() -> None:
    """What x86 does without VNNI, which `probe` must find out."""
    form, sound = probe()
    assert sound, "no integer kernel of this processor gives exact sums"
    if form == "int7":
        assert not all(exact(kernel, "int8") for kernel in sound)


def test_what_a_busy_machine_is_given_is_exact_here() -> None:
    plan = unmeasured()
    kernels: set[Kernel] = {plan.rest, plan.early or plan.rest}
    assert plan.early != plan.rest
    assert all(exact(kernel, plan.form) for kernel in kernels)


@pytest.mark.slow
def test_a_chosen_plan_is_exact_here() -> None:
    found = measure()
    assert min(t for kernel in found.times_us.values() for t in kernel) > 0
    plan = choose(found, wanted="int8")
    kernels: set[Kernel] = {plan.rest, *(k for _, k in plan.buckets), plan.early or plan.rest}
    assert plan.exact == all(exact(kernel, plan.form) for kernel in kernels)


@given(st.integers(1, 20), st.integers(1, 300), st.integers(1, 90), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_settling_changes_no_result(tokens: int, ins: int, outs: int, seed: int) -> None:
    form, sound = probed()
    made = torch.Generator().manual_seed(seed)
    weight = Int8Weight.quantise(torch.randn(outs, ins, generator=made), LEVELS[form])
    bias = torch.randn(outs, generator=made)
    x = torch.randn(tokens, ins, generator=made) * torch.logspace(-3, 3, tokens)[:, None]
    for early in sound:
        for better in sound:
            late = LateLinear(make(early, weight, bias), lambda k=better: make(k, weight, bias))
            before = late(x)
            late.settle()
            late.settle()
            assert torch.equal(late(x), before)
            assert late.make_late is None


def test_packing_that_is_interrupted_goes_on_beside_and_is_taken_up_later() -> None:
    early, better, gate = FloatLinear(torch.ones(2, 2)), FloatLinear(torch.zeros(2, 2)), Event()

    def pack() -> FloatLinear:
        gate.wait()
        return better

    late, looks = LateLinear(early, pack), iter([False, False, True])
    assert not late.settle(lambda: next(looks))
    assert late.current is early
    gate.set()
    assert late.settle()
    assert late.current is better


@cache
def probed() -> tuple[Form, list[Kernel]]:
    return probe()
