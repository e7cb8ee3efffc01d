"""Factors for the channels of keys make both sides of a score as hard to round."""

import pytest
import torch

from keyturn.models.loading.key_factors import key_factors
from keyturn.models.nn import kernels, weight_names
from keyturn.models.nn.config import ModelConfig
from support.models.tiny import oracle


@pytest.mark.parametrize("form", ["float32", "int8"])
@pytest.mark.parametrize("family", ["qwen2", "llama", "starcoder2"])
def test_the_channels_that_are_turned_together_share_a_factor(family: str, form: str) -> None:
    model = oracle(family)
    config = ModelConfig.from_hf(model.config.to_dict())
    weights = model.state_dict()
    named = weight_names.tensors(config, weights.__getitem__)
    factors = key_factors(config, dict(kernels.stored(form, named, config)), form)  # type: ignore
    assert factors.shape == (config.layers, config.kv_heads, config.head_dim)
    assert torch.equal(*factors.chunk(2, dim=2))
    assert (factors > 0).all()


def test_a_channel_whose_keys_have_a_large_bias_is_divided_by_more() -> None:
    model = oracle("qwen2")
    config = ModelConfig.from_hf(model.config.to_dict())
    tensors = dict(weight_names.tensors(config, model.state_dict().__getitem__))
    before = key_factors(config, tensors, "float32")
    bias = tensors["layers.0.qkv.bias"].clone()
    bias[config.heads * config.head_dim + 3] = 400.0
    after = key_factors(config, tensors | {"layers.0.qkv.bias": bias}, "float32")
    changed = (after != before).nonzero().tolist()
    assert changed == [[0, 0, 3], [0, 0, 3 + config.head_dim // 2]]
    assert after[0, 0, 3] > 2 * before[0, 0, 3]
