"""int8 products: within the rounding that they promise, and blind to what else is in the batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.models.nn.kernels import Kernel, make
from keyturn.models.nn.linear import (
    BucketedLinear,
    FbgemmProduct,
    FloatLinear,
    Int8Weight,
    OnednnProduct,
)

INT8: list[Kernel] = ["int8-fbgemm", "int8-onednn", "int8-weight-only"]


@given(st.integers(1, 40), st.integers(1, 70), st.floats(1e-6, 1e6), st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_quantised_weights_are_within_half_a_step(
    rows: int, columns: int, size: float, seed: int
) -> None:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * size
    quantised = Int8Weight.quantise(weight)
    error = (quantised.dequantise() - weight).abs()
    assert (error <= quantised.scales[:, None] * 0.501).all()


def test_a_row_of_zeros_survives_quantisation() -> None:
    quantised = Int8Weight.quantise(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    assert_close(quantised.dequantise()[0], torch.zeros(2))


@pytest.mark.parametrize("kernel", INT8)
def test_products_are_near_the_float_product(kernel: Kernel) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(96, 64), torch.randn(96), torch.randn(9, 64)
    quantised = Int8Weight.quantise(weight, 63)
    expected = FloatLinear(weight, bias)(x)
    error = make(kernel, quantised, bias)(x) - expected
    assert error.pow(2).mean() / expected.pow(2).mean() < 1e-3


@pytest.mark.parametrize("kernel", ["int8-fbgemm", "int8-onednn"])
def test_a_tokens_product_does_not_depend_on_its_batch(kernel: Kernel) -> None:
    torch.manual_seed(0)
    linear = make(kernel, Int8Weight.quantise(torch.randn(96, 64), 63), torch.randn(96))
    x = torch.randn(17, 64) * torch.logspace(-3, 3, 17)[:, None]  # outlier tokens beside small ones
    together = linear(x)
    for row in range(len(x)):
        assert torch.equal(linear(x[row : row + 1])[0], together[row])


@pytest.mark.parametrize("kernel", ["int8-fbgemm", "int8-onednn"])
def test_the_largest_codes_do_not_overflow_at_63_weight_levels(kernel: Kernel) -> None:
    x, weight = torch.full((2, 64), 3.0), torch.full((32, 64), 2.0)
    product = make(kernel, Int8Weight.quantise(weight, 63))(x)
    assert_close(product, torch.full((2, 32), 64 * 6.0), rtol=1e-5, atol=0)


@pytest.mark.parametrize("kernel", INT8)
def test_a_token_of_zeros_gives_the_bias(kernel: Kernel) -> None:
    bias = torch.randn(32)
    linear = make(kernel, Int8Weight.quantise(torch.randn(32, 64), 63), bias)
    assert_close(linear(torch.zeros(2, 64)), bias.expand(2, 32))


@given(st.integers(1, 12), st.integers(1, 300), st.integers(1, 60), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_a_product_of_codes_is_the_exact_sum_scaled_once(
    tokens: int, ins: int, outs: int, seed: int
) -> None:
    made = torch.Generator().manual_seed(seed)
    values = torch.randint(-63, 64, (outs, ins), generator=made)
    codes = torch.randint(-127, 128, (tokens, ins), generator=made)
    scales = torch.rand(outs, generator=made) + 1e-3
    right = (codes.double() @ values.double().T).float() * scales
    for product in (FbgemmProduct, OnednnProduct):
        found = product(Int8Weight(values.to(torch.int8), scales))(codes.float())
        assert torch.equal(found, right)


def test_each_number_of_tokens_goes_to_its_own_kernel() -> None:
    small, large = FloatLinear(torch.ones(4, 4)), FloatLinear(torch.zeros(4, 4))
    linear = BucketedLinear([(2, small)], large)
    assert linear(torch.ones(2, 4)).sum() == 32
    assert linear(torch.ones(3, 4)).sum() == 0


@pytest.mark.parametrize("kernel", INT8)
def test_adding_to_a_residual_is_the_sum(kernel: Kernel) -> None:
    torch.manual_seed(0)
    linear = make(kernel, Int8Weight.quantise(torch.randn(96, 64), 63), torch.randn(96))
    x, residual = torch.randn(5, 64), torch.randn(5, 96)
    assert_close(linear.add_to(residual, x), residual + linear(x))
