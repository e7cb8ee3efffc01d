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


LINEARS = ("qkv", "out", "up", "down")  # of one layer, in the order of the forward pass


def layer_linears(layer: int) -> list[str]:
    return [f"layers.{layer}.{name}" for name in LINEARS]


def linear_names(config: ModelConfig) -> list[str]:
    """Every matrix that tokens are multiplied by, in the order of the forward pass."""
    return [name for n in range(config.layers) for name in layer_linears(n)] + ["head"]


def norm_before(name: str) -> str | None:
    """The norm in front of a linear, if there is one: `layers.3.qkv` -> `layers.3.norm_in`."""
    path, _, last = name.rpartition(".")
    norm = {"qkv": "norm_in", "up": "norm_mlp", "head": "norm"}.get(last)
    return f"{path}.{norm}".lstrip(".") if norm else None


def tensors(config: ModelConfig, source: Source) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the model under its own name here, fused, one after the other."""
    yield "embed.weight", source("model.embed_tokens.weight")
    for layer in range(config.layers):
        for name, parts, bias in _layer_parts(config):
            # Granite's factor on what each half of a layer adds belongs to its last matrix.
            factor = config.residual_multiplier if name in ("out", "down") else 1.0
            for kind in ("weight", "bias") if bias else ("weight",):
                fused = _fused(source, [f"model.layers.{layer}.{part}.{kind}" for part in parts])
                yield f"layers.{layer}.{name}.{kind}", fused if factor == 1.0 else fused * factor
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


def _fused(source: Source, names: list[str]) -> Tensor:
    parts = [source(name) for name in names]
    return parts[0] if len(parts) == 1 else torch.cat(parts)
