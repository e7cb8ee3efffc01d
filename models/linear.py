"""Matrix products, one class per kernel: the same call, (tokens, in) -> (tokens, out).

The int8 kernels quantise every token by its own largest activation, so that an outlier token never
coarsens the others and a token's result does not depend on what else is in the batch: integer sums
are exact, which makes one verified token of a draft bit-identical to the same token decoded alone.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


class Linear(Protocol):
    out_features: int

    def __call__(self, x: Tensor) -> Tensor:
        """(tokens, in) -> (tokens, out)."""
        ...


@dataclass(frozen=True)
class Int8Weight:
    """Symmetric per output channel: weight[o, i] = values[o, i] * scales[o]."""

    values: Tensor  # (out, in) int8
    scales: Tensor  # (out,) float32

    @classmethod
    def quantise(cls, weight: Tensor) -> "Int8Weight":
        """Round a float matrix (out, in) to the nearest of 255 levels per row."""
        weight = weight.float()
        scales = (weight.abs().amax(dim=1) / 127).clamp_min(torch.finfo(torch.float32).tiny)
        return cls((weight / scales[:, None]).round().to(torch.int8), scales)

    def dequantise(self) -> Tensor:
        return self.values.float() * self.scales[:, None]


class FloatLinear:
    """The readable one, and the fast one on a GPU: `x @ weight.T + bias` in the weight's dtype."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        self.weight = weight
        self.bias = bias
        self.out_features = weight.shape[0]

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


class FbgemmLinear:
    """int8 x int8 by FBGEMM, activations quantised on the fly inside the product.

    `levels` is the largest activation code: 127, or 63 where the processor adds pairs of products
    in saturating 16-bit arithmetic (x86 without VNNI) and full-range codes would overflow.
    """

    def __init__(self, weight: Int8Weight, bias: Tensor | None, levels: int):
        self.out_features = weight.values.shape[0]
        self.bias = bias
        self.step = 1.0 / levels
        self.zero = levels + 1
        self.packed = _pack("fbgemm", weight)
        self.product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32

    def __call__(self, x: Tensor) -> Tensor:
        peak = _peak(x)
        product = self.product(x / peak, self.step, self.zero, self.packed)
        return product.mul_(peak) if self.bias is None else torch.addcmul(self.bias, product, peak)


class OnednnLinear:
    """int8 x int8 by oneDNN, for processors where its kernels win (x86 with VNNI or AMX)."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None, levels: int):
        self.out_features = weight.values.shape[0]
        self.bias = bias
        self.levels = levels
        self.scales = weight.scales
        self.zeros = torch.zeros(self.out_features, dtype=torch.int64)
        self.packed = torch.ops.onednn.qlinear_prepack(weight.values, None)

    def __call__(self, x: Tensor) -> Tensor:
        peak = _peak(x)
        codes = (x * (self.levels / peak)).round_().add_(self.levels + 1).to(torch.uint8)
        product = torch.ops.onednn.qlinear_pointwise(
            codes, 1.0 / self.levels, self.levels + 1, self.packed, self.scales, self.zeros,
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return product.mul_(peak) if self.bias is None else torch.addcmul(self.bias, product, peak)


class WeightOnlyInt8Linear:
    """int8 weights, bfloat16 activations: no activation error, memory-bound at one token."""

    def __init__(self, weight: Int8Weight, bias: Tensor | None = None):
        self.values = weight.values
        self.scales = weight.scales.bfloat16()
        self.bias = bias
        self.out_features = weight.values.shape[0]

    def __call__(self, x: Tensor) -> Tensor:
        product = torch.ops.aten._weight_int8pack_mm(x.bfloat16(), self.values, self.scales).float()
        return product if self.bias is None else product.add_(self.bias)


class BucketedLinear:
    """The kernel that was measured fastest for each number of tokens."""

    def __init__(self, buckets: Sequence[tuple[int, Linear]], rest: Linear):
        self.buckets = buckets  # (largest number of tokens, kernel), ascending
        self.rest = rest
        self.out_features = rest.out_features

    def __call__(self, x: Tensor) -> Tensor:
        for most, linear in self.buckets:
            if x.shape[0] <= most:
                return linear(x)
        return self.rest(x)


def _peak(x: Tensor) -> Tensor:
    """Each token's largest activation, (tokens, 1), never zero."""
    return x.abs().amax(dim=-1, keepdim=True).clamp_min_(1e-30)


def _pack(engine: str, weight: Int8Weight) -> torch.ScriptObject:
    zeros = torch.zeros(weight.values.shape[0], dtype=torch.int64)
    with warnings.catch_warnings():
        # torch announces that quantised *tensors* may go; the packed products take nothing else.
        warnings.simplefilter("ignore")
        quantised = torch.ops.aten._make_per_channel_quantized_tensor(
            weight.values, weight.scales.double(), zeros, 0
        )
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = engine
    try:
        return torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = before
