"""keyturn's own names for a model's tensors, with the projections that run together fused into one.

One name per thing the forward pass multiplies by, whatever the checkpoint calls it:

    embed.weight  layers.N.norm_in.{weight,bias}  layers.N.qkv.{weight,bias}  layers.N.out.{…}
    layers.N.norm_mlp.{…}  layers.N.up.{…} (gate and up, where gated)  layers.N.down.{…}
    norm.{weight,bias}  head.weight (absent where it is tied to the embedding)
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .config import ModelConfig

Source = Callable[[str], Tensor]  # Hugging Face name -> tensor


def linear_names(config: ModelConfig) -> list[str]:
    """Every matrix that tokens are multiplied by, in the order of the forward pass."""
    per_layer = ("qkv", "out", "up", "down")
    return [f"layers.{n}.{name}" for n in range(config.layers) for name in per_layer] + ["head"]


def tensors(config: ModelConfig, source: Source) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the model under its own name here, fused, one after the other."""
    yield "embed.weight", source("model.embed_tokens.weight")
    for layer in range(config.layers):
        for name, parts, bias in _layer_parts(config):
            sources = [f"model.layers.{layer}.{part}" for part in parts]
            yield f"layers.{layer}.{name}.weight", _fused(source, sources, "weight")
            if bias:
                yield f"layers.{layer}.{name}.bias", _fused(source, sources, "bias")
    yield "norm.weight", source("model.norm.weight")
    if config.norm == "layer":
        yield "norm.bias", source("model.norm.bias")
    if not config.tied_head:
        yield "head.weight", source("lm_head.weight")


def _layer_parts(config: ModelConfig) -> list[tuple[str, list[str], bool]]:
    attention, norm_bias = "self_attn.", config.norm == "layer"
    if config.gated:
        up, down = ["mlp.gate_proj", "mlp.up_proj"], "mlp.down_proj"
    else:
        up, down = ["mlp.c_fc"], "mlp.c_proj"
    return [
        ("norm_in", ["input_layernorm"], norm_bias),
        ("qkv", [attention + p for p in ("q_proj", "k_proj", "v_proj")], config.qkv_bias),
        ("out", [attention + "o_proj"], config.output_bias),
        ("norm_mlp", ["post_attention_layernorm"], norm_bias),
        ("up", up, config.mlp_bias),
        ("down", [down], config.mlp_bias),
    ]


def _fused(source: Source, names: list[str], kind: str) -> Tensor:
    parts = [source(f"{name}.{kind}") for name in names]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
