"""Matrix products, one class per kernel, each with the norm in front of it and the sum behind it.

The int8 kernels quantise every token by its own largest activation, so that an outlier token never
coarsens the others and a token's result does not depend on what else is in the batch. Both operands
are whole numbers before a kernel sees them and the only scale it applies is the weight's, so that
its result has one right value, to the bit: the exact integer sum, times the scale. That makes one
kernel as good as another, and a verified token of a draft identical to the same token decoded
alone, wherever `exactness.exact` finds the kernels to keep to it.
"""

import os
import re
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Norm = Callable[[Tensor], Tensor]  # (tokens, features) -> same

CODES = 127  # an activation's largest code
ZERO = 128  # what kernels for unsigned activations add to a code
LEAST_AMX_SIDE = 384  # of a matrix that oneDNN multiplies on AMX for any number of tokens
NO_AMX = re.compile(r"(SSE|AVX)(?!.*AMX).*")
GLANCE_SECONDS = 0.005  # between looks at whether packing is to wait for something better to do


class Linear(Protocol):
    out_features: int

    def __call__(self, x: Tensor) -> Tensor:
        """(tokens, in) -> (tokens, out)."""
        ...

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """`residual` + product: (tokens, out)."""
        ...


@dataclass(frozen=True)
class Int8Weight:
    """Symmetric per output channel: weight[o, i] = values[o, i] * scales[o]."""

    values: Tensor  # (out, in) int8
    scales: Tensor  # (out,) float32

    @classmethod
    def quantise(cls, weight: Tensor, levels: int = 127) -> "Int8Weight":
        """Round a float matrix (out, in) to the nearest of `2 * levels + 1` values per row."""
        weight = weight.float()
        scales = (weight.abs().amax(dim=1) / levels).clamp_min(torch.finfo(torch.float32).tiny)
        return cls((weight / scales[:, None]).round().to(torch.int8), scales)

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in) of the matrix."""
        outs, ins = self.values.shape
        return outs, ins

    def dequantise(self) -> Tensor:
        return self.values.float() * self.scales[:, None]

    def rows(self, ids: Tensor) -> "Int8Weight":
        """The weight of some outputs only, copied."""
        return Int8Weight(self.values[ids].contiguous(), self.scales[ids].contiguous())


class CodeProduct(Protocol):
    """(tokens, in) -> (tokens, out) float32; entries are in [-CODES, CODES], or not numbers, for
    which any finite do. `weight` is what it was made from, mapped from a file and not read again.
    """

    weight: Int8Weight

    def __init__(self, weight: Int8Weight) -> None: ...
    def __call__(self, x: Tensor) -> Tensor: ...


class FloatLinear:
    """The readable one, and the fast one on a GPU: `norm(x) @ weight.T + bias` in one dtype."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None, norm: Norm | None = None):
        self.weight = weight
        self.bias = bias
        self.norm = norm
        self.out_features = weight.shape[0]

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x if self.norm is None else self.norm(x), self.weight, self.bias)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return residual + self(x)


class Int8Linear:
    """An integer product between the scaling of its input, token by token, and of its output."""

    def __init__(
        self, product: CodeProduct, out_features: int, bias: Tensor | None, norm: Norm | None = None
    ):
        self.product = product
        self.out_features = out_features
        self.bias = bias
        self.norm = norm

    def __call__(self, x: Tensor) -> Tensor:
        product, step = self._unscaled(x)
        return product.mul_(step) if self.bias is None else torch.addcmul(self.bias, product, step)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        product, step = self._unscaled(x)
        total = torch.addcmul(residual, product, step)
        return total if self.bias is None else total.add_(self.bias)

    def _unscaled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The product of each token over its step between two codes, and the steps (tokens, 1)."""
        if self.norm is not None:
            x = self.norm(x)
        step = x.abs().amax(dim=-1, keepdim=True).div_(CODES)
        return self.product(x / step), step  # a token of zeros: any codes, times a step of zero


class FbgemmProduct:
    """int8 x int8 by FBGEMM."""

    def __init__(self, weight: Int8Weight):
        self.weight = weight
        self.packed = _pack_fbgemm(weight)
        self.multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32

    def __call__(self, x: Tensor) -> Tensor:
        # It would round by itself, but adds its zero point first, which can turn a near-tie.
        return self.multiply(x.round(), 1.0, ZERO, self.packed)


class OnednnProduct:
    """int8 x int8 by oneDNN, for processors where its kernels win (x86 with VNNI or AMX).

    Those of AMX multiply signed codes, and take unsigned ones back in float32, where large sums are
    rounded; the others multiply unsigned codes. For the other kind, and on AMX for small matrices,
    there is only a reference loop, a hundred times as slow: `takes` says which are large enough.
    """

    def __init__(self, weight: Int8Weight):
        self.weight = weight
        self.zero, self.dtype = (0, torch.int8) if onednn_has_amx() else (ZERO, torch.uint8)
        self.scales = weight.scales
        self.zeros = torch.zeros(len(weight.scales), dtype=torch.int64)
        self.packed = torch.ops.onednn.qlinear_prepack(weight.values, None)

    @staticmethod
    def takes(weight: Int8Weight) -> bool:
        return min(weight.values.shape) >= LEAST_AMX_SIDE or not onednn_has_amx()

    def __call__(self, x: Tensor) -> Tensor:
        codes = x.round().add_(self.zero).to(self.dtype)
        return torch.ops.onednn.qlinear_pointwise(
            codes, 1.0, self.zero, self.packed, self.scales, self.zeros,
            None, 1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip


def onednn_limit() -> str:
    """The instruction set that oneDNN is held to by its own switch, or by the one's former name;
    what it does not know, it does not heed."""
    return os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "")).upper()


@cache
def onednn_has_amx() -> bool:
    """Whether oneDNN's int8 products run on AMX: the processor has it, the system lets us use it,
    and oneDNN's own switch does not forbid it."""
    if NO_AMX.fullmatch(onednn_limit()):
        return False
    return bool(torch.cpu.get_capabilities().get("amx_int8")) and torch.cpu._init_amx()  # pyright: ignore


class WeightOnlyProduct:
    """int8 weights, bfloat16 activations: hardly any activation error, memory-bound."""

    def __init__(self, weight: Int8Weight):
        self.weight = weight
        self.values = weight.values
        self.scales = weight.scales.bfloat16()

    def __call__(self, x: Tensor) -> Tensor:
        x = x.bfloat16().nan_to_num_()
        return torch.ops.aten._weight_int8pack_mm(x, self.values, self.scales).float()


class BucketedLinear:
    """The kernel that was measured fastest for each number of tokens."""

    def __init__(self, buckets: Sequence[tuple[int, Linear]], rest: Linear):
        self.buckets = buckets  # (largest number of tokens, kernel), ascending
        self.rest = rest
        self.out_features = rest.out_features

    def __call__(self, x: Tensor) -> Tensor:
        return self._for(len(x))(x)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return self._for(len(x)).add_to(residual, x)

    def _for(self, tokens: int) -> Linear:
        for most, linear in self.buckets:
            if tokens <= most:
                return linear
        return self.rest


class LateLinear:
    """A kernel that is ready at once, until `settle` replaces it by one that is worth its packing.

    Both must be exact here (`exactness.exact`), so that settling changes no result. FBGEMM packs
    ten times slower than oneDNN (a second for a large head), and is the faster one for a single
    token.
    """

    def __init__(self, early: Linear, make_late: Callable[[], Linear]):
        self.current = early
        self.make_late: Callable[[], Linear] | None = make_late
        self.out_features = early.out_features
        self._packing: Future[Linear] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        return self.current(x)

    def add_to(self, residual: Tensor, x: Tensor) -> Tensor:
        return self.current.add_to(residual, x)

    def settle(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """Pack the better kernel in a thread of its own, and drop the first. False if `cancelled`
        came before: the thread packs on, and the next call puts its work in place."""
        if self.make_late is None:
            return True
        if self._packing is None:
            packer = ThreadPoolExecutor(1, "packing")
            self._packing = packer.submit(self.make_late)
            packer.shutdown(wait=False)
        while not self._packing.done():
            if cancelled():
                return False
            wait([self._packing], GLANCE_SECONDS)
        self.current = self._packing.result()
        self.make_late = self._packing = None
        return True


class RmsNorm:
    """Root mean square norm (arXiv 1910.07467); the mean in float32."""

    def __init__(self, weight: Tensor, eps: float):
        self.weight, self.eps = weight, eps
        self._eps = torch.tensor(eps, device=weight.device)

    def __call__(self, x: Tensor) -> Tensor:
        if x.is_cuda:  # one kernel instead of five
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        wide = x.float()
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True)
        factor = torch.addcmul(self._eps, length, length, value=1 / x.shape[-1]).rsqrt_()
        return (wide * factor).to(x.dtype).mul_(self.weight)


class LayerNorm:
    def __init__(self, weight: Tensor, bias: Tensor | None, eps: float):
        self.weight, self.bias, self.eps = weight, bias, eps

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


def _pack_fbgemm(weight: Int8Weight) -> torch.ScriptObject:
    zeros = torch.zeros(len(weight.scales), dtype=torch.int64)
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            # torch announces that quantised *tensors* may go; the packed product takes only those.
            warnings.simplefilter("ignore")
            quantised = torch._make_per_channel_quantized_tensor(  # pyright: ignore
                weight.values, weight.scales.double(), zeros, 0
            )
        return torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = before
