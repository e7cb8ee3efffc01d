"""Integer weights by activations that stay as they are: on a GPU, where reading the weights is what
one token waits for, and on a CPU to check the same arithmetic.

A few tokens go through torch's products on packed weights, whose time grows with the tokens; more
than `FEW_TOKENS` are worth turning the weights back for one product at full speed.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .linear import Int8Weight, Norm

FEW_TOKENS = {"int8": 4, "int4": 16}  # torch's int8 product on a GPU reads the weights per token
GROUP = 64  # weights that share a scale and a zero point
INNER_TILES = (8, 4, 2)  # of torch's packing on a GPU: 16 inputs each


@dataclass(frozen=True)
class Int4Weight:
    """weight[o, i] = (code[o, i] - 8) * scale[i // GROUP, o] + zero[i // GROUP, o]."""

    codes: (
        Tensor  # (out, in / 2) uint8: an even input's code in the high half, the next one's below
    )
    scales_zeros: Tensor  # (in / GROUP, out, 2) bfloat16

    @staticmethod
    def takes(weight: Tensor) -> bool:
        """Whether a matrix (out, in) has a shape for it."""
        return weight.shape[0] % 8 == 0 and weight.shape[1] % GROUP == 0

    @classmethod
    def quantise(cls, weight: Tensor) -> "Int4Weight":
        """Round a float matrix (out, in) to 16 levels between each group's extremes."""
        groups = weight.float().unflatten(1, (-1, GROUP))
        low, high = groups.amin(-1), groups.amax(-1)
        scale = ((high - low) / 15).clamp_min(1e-8).bfloat16()
        zero = (low + 8 * scale.float()).bfloat16()
        steps = (groups - zero.float()[..., None]) / scale.float()[..., None]
        codes = (steps.round() + 8).clamp_(0, 15).to(torch.uint8).flatten(1)
        scales_zeros = torch.stack((scale, zero), -1).transpose(0, 1).contiguous()
        return cls(codes[:, ::2] << 4 | codes[:, 1::2], scales_zeros)

    def unpacked(self) -> Tensor:
        """The codes, (out, in) uint8."""
        return torch.stack((self.codes >> 4, self.codes & 15), -1).flatten(1)

    def dequantise(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(out, in)."""
        scale, zero = self.scales_zeros.float().transpose(0, 1).unbind(-1)  # (out, groups)
        steps = self.unpacked().float().unflatten(1, (-1, GROUP)) - 8
        return (steps * scale[..., None] + zero[..., None]).flatten(1).to(dtype)


class WeightOnlyLinear:
    """`norm(x) @ weight.T + bias` in the dtype of `x`; `Linear`."""

    def __init__(
        self,
        weight: Int8Weight | Int4Weight,
        dtype: torch.dtype,
        bias: Tensor | None = None,
        norm: Norm | None = None,
    ):
        self.product = (
            Int8Product(weight, dtype)
            if isinstance(weight, Int8Weight)
            else Int4Product(weight, dtype)
        )
        self.bias = bias
        self.norm = norm
        self.out_features = self.product.out_features

    def __call__(self, x: Tensor) -> Tensor:
        x = x if self.norm is None else self.norm(x)
        if len(x) > self.product.few_tokens:
            return F.linear(x, self.product.dequantised(), self.bias)
        product = self.product(x)
        return product if self.bias is None else product.add_(self.bias)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return residual + self(x)


class Int8Product:
    few_tokens = FEW_TOKENS["int8"]

    def __init__(self, weight: Int8Weight, dtype: torch.dtype):
        self.weight, self.dtype = weight, dtype
        self.out_features = len(weight.scales)
        # The kernel for GPUs computes in float32; the one for CPUs wants all of one type.
        self.scales = weight.scales if weight.scales.is_cuda else weight.scales.to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return torch.ops.aten._weight_int8pack_mm(x, self.weight.values, self.scales)

    def dequantised(self) -> Tensor:
        return self.weight.values.to(self.dtype) * self.weight.scales.to(self.dtype)[:, None]


class Int4Product:
    few_tokens = FEW_TOKENS["int4"]

    def __init__(self, weight: Int4Weight, dtype: torch.dtype):
        self.weight, self.dtype = weight, dtype
        self.out_features = len(weight.codes)
        inputs = 2 * weight.codes.shape[1]
        tiles = next(n for n in INNER_TILES if inputs % (16 * n) == 0)
        if weight.codes.is_cuda:
            self.packed = torch.ops.aten._convert_weight_to_int4pack(weight.codes, tiles)
            self.multiply = torch.ops.aten._weight_int4pack_mm
        else:
            codes = weight.unpacked().int()
            self.packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(codes, tiles)
            self.multiply = torch.ops.aten._weight_int4pack_mm_for_cpu

    def __call__(self, x: Tensor) -> Tensor:
        return self.multiply(x, self.packed, GROUP, self.weight.scales_zeros)

    def dequantised(self) -> Tensor:
        return self.weight.dequantise(self.dtype)
