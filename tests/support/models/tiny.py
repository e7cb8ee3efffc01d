"""Tiny random models of every family: transformers' own as the oracle, ours beside it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Starcoder2Config,
    Starcoder2ForCausalLM,
)

from keyturn.cache.sequence import CachedSequence
from keyturn.models.nn import kernels, weight_names
from keyturn.models.nn.attention import PartialAttention, cpu_partial
from keyturn.models.nn.config import ModelConfig
from keyturn.models.nn.kernels import KernelPlan
from keyturn.models.nn.transformer import Shortcut, Transformer, assemble

VOCABULARY = 97
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 1e4,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAMILIES: dict[str, tuple[type[PreTrainedModel], type, dict[str, Any]]] = {
    "qwen2": (Qwen2ForCausalLM, Qwen2Config, {}),
    "qwen2-tied-yarn": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {"tie_word_embeddings": True, "rope_parameters": YARN},
    ),
    "llama": (LlamaForCausalLM, LlamaConfig, {"num_key_value_heads": 4, "head_dim": 32}),
    "llama-biased-llama3-rope": (
        LlamaForCausalLM,
        LlamaConfig,
        {"attention_bias": True, "mlp_bias": True, "rope_parameters": LLAMA3},
    ),
    "deepseek-coder": (
        LlamaForCausalLM,
        LlamaConfig,
        {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e5, "factor": 4.0}},
    ),
    "starcoder2": (Starcoder2ForCausalLM, Starcoder2Config, {"tie_word_embeddings": True}),
    "starcoder2-unbiased": (Starcoder2ForCausalLM, Starcoder2Config, {"use_bias": False}),
    "granite": (
        GraniteForCausalLM,
        GraniteConfig,
        {
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.3,
            "attention_multiplier": 0.2,
            "logits_scaling": 2.0,
        },
    ),
}


def oracle(family: str, **changes: Any) -> PreTrainedModel:
    """A random transformers model whose attention is far from uniform."""
    model_class, config_class, special = FAMILIES[family]
    torch.manual_seed(7)
    model = model_class(config_class(**{**SHAPE, **special, **changes})).eval()
    for parameter in model.parameters():
        centre, spread = (0.0, 0.2) if parameter.dim() > 1 else (0.6, 0.2)
        torch.nn.init.normal_(parameter, centre, spread)
    return model


def ours(
    model: PreTrainedModel,
    plan: KernelPlan | None = None,
    partial: PartialAttention = cpu_partial,
    shortcut: Callable[[Transformer], Shortcut] | None = None,
) -> Transformer:
    """keyturn's transformer with the weights of a transformers model."""
    plan = plan or KernelPlan.floating("float32")
    config = ModelConfig.from_hf(model.config.to_dict())
    weights = model.state_dict()
    tensors = dict(
        kernels.stored(plan.form, weight_names.tensors(config, weights.__getitem__), config)
    )
    return assemble(config, tensors, plan, partial, shortcut)


def random_tokens(count: int, seed: int = 3) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, VOCABULARY, (count,), generator=generator).tolist()


@torch.inference_mode()
def oracle_logits(model: PreTrainedModel, tokens: Sequence[int]) -> Tensor:
    """(tokens, vocabulary), in one pass over everything."""
    return model(torch.tensor([tokens])).logits[0].float()


@torch.inference_mode()
def forward(
    model: Transformer,
    sequence: CachedSequence,
    tokens: Sequence[int],
    splits: Sequence[range | None] = (None,),
) -> Tensor:
    """Append `tokens` and return their logits, running the layers in the given ranges."""
    step = sequence.append(tokens)
    hidden = model.embed(torch.tensor(tokens))
    for layers in splits:
        hidden = model.run(hidden, step, sequence.arena, layers)
    return model.logits(hidden)
