"""Integer weights by bfloat16 activations: torch's packed products against the readable one."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.models.hub.progress import Progress
from keyturn.models.loading.loader import pick_plan
from keyturn.models.nn.kernels import Form, Kernel, KernelPlan, form_of, integer, make, read_weight
from keyturn.models.nn.linear import FloatLinear, Int8Weight
from keyturn.models.nn.weight_only import FEW_TOKENS, GROUP, Int4Weight
from support.models.tiny import forward, oracle, oracle_logits, ours, random_tokens

FORMS: list[tuple[Form, Kernel]] = [("int8", "int8-bfloat16"), ("int4", "int4-bfloat16")]


@given(
    st.integers(1, 6), st.integers(1, 5), st.floats(1e-3, 1e3), st.floats(-5, 5), st.integers(0, 9)
)
@settings(max_examples=40, deadline=None)
def test_int4_weights_are_within_a_step_of_their_group(
    rows: int, groups: int, size: float, centre: float, seed: int
) -> None:
    torch.manual_seed(seed)
    weight = (torch.randn(8 * rows, GROUP * groups) + centre) * size
    quantised = Int4Weight.quantise(weight)
    scale, zero = quantised.scales_zeros.float().transpose(0, 1).unbind(-1)
    error = (quantised.dequantise() - weight).abs().unflatten(1, (-1, GROUP)).amax(-1)
    rounding = zero.abs() * 2**-8 + 16 * scale * 2**-8  # of zero points and scales
    assert (error <= 0.51 * scale + rounding).all()


def test_codes_unpack_to_what_was_packed_and_zeros_survive() -> None:
    weight = torch.randn(16, 2 * GROUP)
    weight[3] = 0
    quantised = Int4Weight.quantise(weight)
    assert quantised.codes.shape == (16, GROUP)
    assert quantised.unpacked().max() <= 15
    assert_close(quantised.dequantise()[3], torch.zeros(2 * GROUP), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("form", "kernel"), FORMS)
@pytest.mark.parametrize("tokens", [1, 3, 16, 33])
@pytest.mark.parametrize("biased", [True, False])
def test_products_of_few_and_of_many_tokens_are_the_float_product(
    form: Form, kernel: Kernel, tokens: int, biased: bool
) -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(96, 2 * GROUP), torch.randn(tokens, 2 * GROUP).bfloat16()
    bias = torch.randn(96).bfloat16() if biased else None
    kept = read_weight(dict(integer("x", weight, form)), "x", form)
    assert isinstance(kept, Int8Weight | Int4Weight)
    expected = FloatLinear(kept.dequantise(), bias if bias is None else bias.float())(x.float())
    linear = make(kernel, kept, bias)
    found = linear(x)
    assert found.dtype is torch.bfloat16
    assert_close(found.float(), expected, atol=0.15, rtol=0.02)
    assert_close(linear.add_to(found, x), found + found)


def test_the_same_token_alone_and_among_few_is_the_same() -> None:
    torch.manual_seed(0)
    for form, kernel in FORMS:
        kept = read_weight(dict(integer("x", torch.randn(96, GROUP), form)), "x", form)
        linear, x = make(kernel, kept), torch.randn(4, GROUP).bfloat16()
        together = linear(x)
        for row in range(4):
            assert_close(linear(x[row : row + 1])[0], together[row], atol=0.02, rtol=0.01)
    assert min(FEW_TOKENS.values()) >= 4


def test_shapes_that_int4_cannot_have_and_the_head_are_int8() -> None:
    assert isinstance(
        read_weight(dict(integer("x", torch.randn(96, 70), "int4")), "x", "int4"), Int8Weight
    )
    head = dict(integer("head", torch.randn(96, GROUP), "int4"))
    assert isinstance(read_weight(head, "head", "int4"), Int8Weight)
    assert isinstance(
        make("int4-bfloat16", read_weight(head, "head", "int4"))(torch.randn(1, GROUP).bfloat16()),
        torch.Tensor,
    )


@pytest.mark.parametrize(("form", "kernel", "most"), [(*FORMS[0], 0.02), (*FORMS[1], 0.3)])
@pytest.mark.parametrize("family", ["qwen2", "starcoder2", "granite"])
def test_a_model_stays_close_to_the_float_model(
    family: str, form: Form, kernel: Kernel, most: float
) -> None:
    tokens = random_tokens(48)
    reference = oracle(family)
    model = ours(reference, KernelPlan(form, kernel))
    assert model.dtype is torch.bfloat16
    sequence = CachedSequence(model.new_arena())
    found = torch.cat(
        [forward(model, sequence, tokens[a:b]) for a, b in ((0, 40), (40, 41), (41, 48))]
    )
    expected = oracle_logits(reference, tokens)
    assert 0 < (found - expected).pow(2).mean() / expected.pow(2).mean() < most


def test_the_form_of_each_kernel_and_the_plan_of_each_device(tmp_path) -> None:
    assert [form_of(kernel) for _, kernel in FORMS] == ["int8", "int4"]
    silent = Progress(None)
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert pick_plan(cuda, "int8", tmp_path, silent) == KernelPlan("int8", "int8-bfloat16")
    for device in (cuda, cpu):
        assert pick_plan(device, "int4", tmp_path, silent) == KernelPlan("int4", "int4-bfloat16")
