"""Configurations are read exactly, and what is not supported is refused by name."""

from typing import Any

import pytest
import torch
from torch.testing import assert_close
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from keyturn.models.errors import UnsupportedModel
from keyturn.models.nn.config import ModelConfig
from support.models.tiny import LLAMA3, SHAPE, YARN

QWEN: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "rope_theta": 1e6,
}


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "default", "rope_theta": 1e6},
        {"rope_type": "linear", "rope_theta": 1e5, "factor": 4.0},
        LLAMA3,
        YARN,
        YARN | {"attention_factor": 1.3, "beta_fast": 16.0, "truncate": False},
    ],
    ids=lambda r: r["rope_type"],
)
def test_rotary_frequencies_are_those_of_transformers(rope: dict[str, Any]) -> None:
    config = LlamaConfig(**{**SHAPE, "head_dim": 64}, rope_parameters=rope)
    theirs = LlamaRotaryEmbedding(config)
    ours = ModelConfig.from_hf(config.to_dict()).rope
    inv_freq = torch.tensor(ours.inv_freq, dtype=torch.float64)
    assert_close(inv_freq.float(), theirs.inv_freq, rtol=1e-5, atol=0)
    assert ours.attention_factor == pytest.approx(theirs.attention_scaling)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "mamba"}, "mamba"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "dynamic"),
        ({"rope_scaling": {"rope_type": "longrope"}}, "longrope"),
        ({"hidden_act": "relu"}, "relu"),
        ({"partial_rotary_factor": 0.5}, "partial rotary"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedModel, match=named):
        ModelConfig.from_hf(QWEN | change)


def test_a_sliding_window_caps_the_context() -> None:
    window = {"sliding_window": 4096, "max_position_embeddings": 16384}
    assert ModelConfig.from_hf(QWEN | window).context_tokens == 16384
    used = QWEN | window | {"use_sliding_window": True}
    assert ModelConfig.from_hf(used).context_tokens == 4096
