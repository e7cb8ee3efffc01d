"""Weights in five bits: what is packed comes back, and is as near as five bits in groups can be."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.nn.cpu.int5_weight import (
    BLOCK_BYTES,
    GROUP,
    MIDDLE,
    ROWS,
    Int5Weight,
    largest_step,
)

shapes = st.tuples(st.integers(1, 6).map(ROWS.__mul__), st.integers(1, 9).map(GROUP.__mul__))


def drawn(shape: tuple[int, int], seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(shape) * torch.rand(shape[0], 1) * 9


@given(shape=shapes, seed=st.integers(0, 99))
def test_every_weight_is_within_half_a_step_of_its_group(shape: tuple[int, int], seed: int) -> None:
    weight = drawn(shape, seed)
    found = Int5Weight.quantise(weight)
    groups = weight.unflatten(1, (-1, GROUP))
    extremes = groups.abs().amax(2, keepdim=True)
    # Half a step; at the upper end, which reaches one code less, a whole one; and the step's own
    # rounding, which a code multiplies.
    unit = found.scales[:, None, None]
    most = extremes / MIDDLE + unit * (MIDDLE / 2 + 1)
    error = (found.dequantise().unflatten(1, (-1, GROUP)) - groups).abs()
    assert (error <= most).all()
    assert error.mean() < 0.03 * extremes.mean()


@given(shape=shapes, seed=st.integers(0, 99))
def test_what_stands_on_its_grid_comes_back_as_it_was(shape: tuple[int, int], seed: int) -> None:
    once = Int5Weight.quantise(drawn(shape, seed))
    again = Int5Weight.quantise(once.dequantise())
    torch.testing.assert_close(again.dequantise(), once.dequantise(), rtol=0.02, atol=1e-6)


def test_a_weight_takes_five_and_a_quarter_bits() -> None:
    found = Int5Weight.quantise(torch.randn(160, 896))
    assert found.shape == (160, 896)
    assert found.packed.nbytes * 8 == 5.25 * 160 * 896
    assert BLOCK_BYTES % 16 == 0


@given(shape=shapes, seed=st.integers(0, 99), data=st.data())
def test_some_rows_are_those_of_the_whole(
    shape: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    found = Int5Weight.quantise(drawn(shape, seed))
    every = st.lists(st.integers(0, shape[0] - 1), min_size=ROWS, max_size=ROWS)
    ids = torch.tensor(data.draw(every))
    rows = found.rows(ids)
    assert torch.equal(rows.whole(), found.whole()[ids])
    assert torch.equal(rows.scales, found.scales[ids])


def test_rows_and_groups_of_zeros_stay_zeros() -> None:
    weight = torch.randn(32, 64)
    weight[3], weight[5, 32:] = 0, 0
    found = Int5Weight.quantise(weight).dequantise()
    assert (found[3] == 0).all()
    assert (found[5, 32:] == 0).all()


def test_sums_of_the_longest_rows_fit_into_32_bits() -> None:
    for ins in (64, 4864, 8960, 18944, 2**15):
        assert ins * 127 * MIDDLE * largest_step(ins) < 2**31
    assert largest_step(4864) == 127
