"""Our products with int8 and five-bit weights as stored: exact sums, whatever shape and batch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from keyturn.models.nn.cpu.int5_weight import GROUP, ROWS, Int5Weight
from keyturn.models.nn.cpu.stored_linear import StoredLinear
from keyturn.models.nn.exactness import exact
from keyturn.models.nn.kernels import LEVELS, Form, make
from keyturn.models.nn.linear import CODES, Int8Linear, Int8Weight, LayerNorm, RmsNorm
from support.models.native import native, processors

if not processors():
    pytest.skip("our kernels need an x86 processor with AVX2", allow_module_level=True)

EVERYWHERE = pytest.mark.parametrize("processor", processors())
FORMS = pytest.mark.parametrize("form", ["int8", "int5"])
shapes = st.tuples(st.integers(16, 300), st.sampled_from([64, 128, 192, 896]))


def whole_form(processor: str) -> Form:
    return "int7" if native(processor).processor.dot == "avx2" else "int8"


def random_weight(
    outs: int, ins: int, processor: str, form: str = "int8"
) -> Int8Weight | Int5Weight:
    if form == "int5":
        return Int5Weight.quantise(torch.randn(outs // ROWS * ROWS, ins))
    return Int8Weight.quantise(torch.randn(outs, ins), LEVELS[whole_form(processor)])


def plain(weight: Int8Weight | Int5Weight, x: Tensor) -> Tensor:
    """The readable one, in float64 between the rounding of codes and of the result."""
    whole = weight.whole() if isinstance(weight, Int5Weight) else weight.values
    step = x.abs().amax(-1, keepdim=True) / CODES
    codes = (x / step).round().nan_to_num().double()
    return (codes @ whole.double().T).float() * weight.scales * step


@EVERYWHERE
@FORMS
@given(shape=shapes, tokens=st.integers(1, 20), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_every_entry_is_the_exact_sum_scaled(
    processor: str, form: str, shape: tuple[int, int], tokens: int, seed: int
) -> None:
    torch.manual_seed(seed)
    weight = random_weight(*shape, processor, form)
    x = torch.randn(tokens, shape[1]) * torch.rand(tokens, 1) * 9
    linear = StoredLinear(weight, None, None, native(processor))
    assert torch.equal(linear(x), plain(weight, x))


@EVERYWHERE
def test_its_sums_are_exact_for_extreme_codes(processor: str) -> None:
    assert exact("int8-numba", whole_form(processor), native(processor))
    assert exact("int5-numba", "int5", native(processor))


@EVERYWHERE
@FORMS
@given(shape=shapes, tokens=st.integers(2, 19), normed=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_each_token_gets_bit_for_bit_what_it_gets_alone(
    processor: str, form: str, shape: tuple[int, int], tokens: int, normed: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    weight = random_weight(*shape, processor, form)
    outs, ins = weight.shape
    norm = RmsNorm(torch.randn(ins), 1e-6) if normed else None
    linear = StoredLinear(weight, torch.randn(outs), norm, native(processor))
    x, residual = torch.randn(tokens, ins), torch.randn(tokens, outs)
    together = linear.add_to(residual, x)
    for token in range(tokens):
        own = slice(token, token + 1)
        assert torch.equal(linear.add_to(residual[own], x[own])[0], together[token])


@EVERYWHERE
@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("norm", ["rms", "layer", None])
def test_norm_bias_and_residual_are_those_of_the_other_kernels(
    processor: str, biased: bool, norm: str | None
) -> None:
    torch.manual_seed(1)
    weight, bias = random_weight(72, 128, processor), torch.randn(72) if biased else None
    before = None
    if norm is not None:
        scale, shift = torch.rand(128), torch.randn(128)
        before = RmsNorm(scale, 1e-6) if norm == "rms" else LayerNorm(scale, shift, 1e-6)
    ours = make("int8-numba", weight, bias, before, native(processor))
    other = make("int8-fbgemm", weight, bias, before)
    assert isinstance(ours, StoredLinear)
    x, residual = torch.randn(5, 128), torch.randn(5, 72)
    near = 1e-6 if norm is None else 2e-2  # a norm summed in another order moves a code by one
    scale = float(other(x).abs().max())
    assert_close(ours(x), other(x), atol=near * scale, rtol=1e-6)
    assert_close(ours.add_to(residual, x), other.add_to(residual, x), atol=near * scale, rtol=1e-6)


@EVERYWHERE
@FORMS
def test_a_token_of_zeros_gives_zeros_and_what_is_no_number_stays_with_its_token(
    processor: str, form: str
) -> None:
    linear = StoredLinear(random_weight(40, 64, processor, form), None, None, native(processor))
    x = torch.randn(4, 64)
    x[1], x[2, 5], x[3, 6] = 0, torch.nan, torch.inf
    found = linear(x)
    assert found[0].isfinite().all()
    assert (found[1] == 0).all()
    assert found[2].isnan().all()
    assert found[3].isnan().all()


def test_a_shape_that_it_does_not_take_is_left_to_another_kernel() -> None:
    narrow = Int8Weight.quantise(torch.randn(8, 64))
    odd = Int8Weight.quantise(torch.randn(32, 40))
    for weight in (narrow, odd):
        assert isinstance(make("int8-numba", weight, native=native()), Int8Linear)


def test_five_bits_take_rows_and_groups_that_are_whole() -> None:
    assert Int5Weight.takes(torch.zeros(ROWS, GROUP))
    assert not Int5Weight.takes(torch.zeros(ROWS + 1, GROUP))
    assert not Int5Weight.takes(torch.zeros(ROWS, GROUP + 4))
