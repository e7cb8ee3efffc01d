"""What channels of keys are divided by before they are rounded to eight bits, and those of queries
multiplied by: no product changes.

Keys have channels that are large in every token, from the bias of their projection, and one step
for all channels would leave the others few codes. Both sides become equally hard to round with
sqrt(key / query) (SmoothQuant, arXiv 2211.10438, section 4), of what the weights say the channels
have: the norm in front gives each input a mean square of its own weight's square.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..nn.config import ModelConfig
from ..nn.kernels import Form, read_weight

LEAST = 1e-5


def key_factors(config: ModelConfig, tensors: Mapping[str, Tensor], form: Form) -> Tensor:
    """(layers, kv_heads, head_dim) float32; the same for the two channels that are turned together,
    so that it does not matter which is done first."""
    return torch.stack([_of_layer(config, tensors, form, n) for n in range(config.layers)])


def _of_layer(config: ModelConfig, tensors: Mapping[str, Tensor], form: Form, layer: int) -> Tensor:
    weight = read_weight(tensors, f"layers.{layer}.qkv", form)
    if not isinstance(weight, Tensor):
        weight = weight.dequantise()
    rows = (config.heads + config.kv_heads) * config.head_dim
    weight = weight[:rows].float()
    squares = (weight * tensors[f"layers.{layer}.norm_in.weight"].float()).square().sum(dim=1)
    constant = torch.zeros(rows)
    if (bias := tensors.get(f"layers.{layer}.qkv.bias")) is not None:
        constant = constant + bias[:rows].float()
    if (shift := tensors.get(f"layers.{layer}.norm_in.bias")) is not None:
        constant = constant + weight @ shift.float()
    squares = (squares + constant.square()).view(-1, 2, config.head_dim // 2).sum(dim=1)
    queries, keys = squares.split((config.heads, config.kv_heads))
    queries = queries.view(config.kv_heads, -1, config.head_dim // 2).mean(dim=1)
    factors = (keys.clamp_min(LEAST**2) / queries.clamp_min(LEAST**2)) ** 0.25
    return torch.cat((factors, factors), dim=1)
