"""A GPU's memory is shared: caches shrink as others need it, and come back."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.device import RESERVE_BYTES, DeviceMemory, Here, aside, polite_bytes

GIB = 2**30


def test_half_of_what_nobody_uses_is_taken_and_what_we_hold_counts_as_free() -> None:
    assert polite_bytes(DeviceMemory(10 * GIB + RESERVE_BYTES), 0, 0.5, 0) == 5 * GIB
    held = polite_bytes(
        DeviceMemory(8 * GIB + RESERVE_BYTES, unused_bytes=1 * GIB), 1 * GIB, 0.5, 0
    )
    assert held == 5 * GIB


def test_a_program_that_takes_memory_makes_the_caches_smaller_down_to_one_file() -> None:
    assert polite_bytes(DeviceMemory(1 * GIB + RESERVE_BYTES), 5 * GIB, 0.5, GIB // 4) == 3 * GIB
    assert polite_bytes(DeviceMemory(0), 0, 0.5, GIB // 4) == GIB // 4


@given(st.integers(0, 80 * GIB), st.integers(0, 80 * GIB), st.floats(0.01, 1), st.integers(0, GIB))
def test_growing_to_the_allowance_does_not_change_the_allowance(
    free: int, held: int, share: float, least: int
) -> None:
    allowed = polite_bytes(DeviceMemory(free), held, share, least)
    if least < allowed <= free + held:
        grown = polite_bytes(DeviceMemory(free + held - allowed), allowed, share, least)
        assert grown == allowed


def test_on_a_cpu_idle_work_runs_where_everything_runs() -> None:
    where = aside(torch.device("cpu"))
    assert isinstance(where, Here)
    assert where.run(lambda: 7) == 7
