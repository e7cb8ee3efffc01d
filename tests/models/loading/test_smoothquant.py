"""Smoothing changes no product, and takes from int8 most of what it costs."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.models.loading.smoothquant import balance, smoothed
from keyturn.models.nn import weight_names
from keyturn.models.nn.attention import cpu_partial
from keyturn.models.nn.config import ModelConfig
from keyturn.models.nn.kernels import KernelPlan, stored
from keyturn.models.nn.transformer import assemble
from support.models.tiny import FAMILIES, forward, oracle, oracle_logits, random_tokens

READ, TOKENS = random_tokens(40, seed=1), random_tokens(48)


def smoothed_model(reference: Any, plan: KernelPlan):
    config = ModelConfig.from_hf(reference.config.to_dict())
    tensors = weight_names.tensors(config, reference.state_dict().__getitem__)
    tensors = smoothed(config, tensors, READ, cpu_partial)
    return assemble(config, dict(stored(plan.form, tensors, config)), plan, cpu_partial)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_smoothed_float_model_says_the_same(family: str) -> None:
    reference = oracle(family)
    model = smoothed_model(reference, KernelPlan.floating("float32"))
    logits = forward(model, CachedSequence(model.new_arena()), TOKENS)
    assert_close(logits, oracle_logits(reference, TOKENS), atol=5e-4, rtol=5e-4)


@pytest.mark.parametrize("family", ["llama", "starcoder2", "granite"])
def test_outlier_features_cost_int8_less_once_smoothed(family: str) -> None:
    reference = oracle(family)
    for name, parameter in reference.named_parameters():
        if "norm" in name and "weight" in name:
            parameter.data[::16] *= 60  # a few features far above the rest, as in real models
    expected = oracle_logits(reference, TOKENS)
    config = ModelConfig.from_hf(reference.config.to_dict())
    plan = KernelPlan("int7", "int8-fbgemm")
    plain_tensors = weight_names.tensors(config, reference.state_dict().__getitem__)
    plain = assemble(config, dict(stored("int7", plain_tensors, config)), plan, cpu_partial)
    models = [plain, smoothed_model(reference, plan)]
    errors = [
        (forward(m, CachedSequence(m.new_arena()), TOKENS) - expected).pow(2).mean() for m in models
    ]
    assert errors[1] < errors[0] / 2


def test_factors_balance_activations_and_weights() -> None:
    torch.manual_seed(0)
    peaks, weight = torch.rand(32) * 100 + 0.1, torch.randn(8, 32)
    factors = balance(peaks, weight)
    ratio = (peaks / factors) / (weight * factors).abs().amax(dim=0)
    assert_close(ratio, ratio[0].expand(32), rtol=1e-4, atol=0)
    assert factors.log().mean().abs() < 1e-5
