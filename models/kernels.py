"""Which kernel multiplies by a weight: what each needs, how it is built, and what works here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from . import layout
from .config import ModelConfig
from .errors import ModelError
from .linear import (
    BucketedLinear,
    FbgemmLinear,
    FloatLinear,
    Int8Weight,
    Linear,
    OnednnLinear,
    WeightOnlyInt8Linear,
)

Kernel = Literal["float32", "bfloat16", "float16", "int8-fbgemm", "int8-onednn", "int8-weight-only"]
Form = Literal["float32", "bfloat16", "float16", "int8"]  # what is stored for a linear weight

KERNELS: tuple[Kernel, ...] = get_args(Kernel)


def form_of(kernel: Kernel) -> Form:
    return "int8" if kernel.startswith("int8") else kernel  # type: ignore[return-value]


@dataclass(frozen=True)
class KernelPlan:
    """A kernel per number of tokens: `buckets` of (largest number of tokens, kernel), then `rest`.

    All kernels of one plan share one stored form. `levels` is the largest activation code that
    int8 products take without overflowing on this processor.
    """

    rest: Kernel
    buckets: tuple[tuple[int, Kernel], ...] = ()
    levels: int = 127

    @property
    def form(self) -> Form:
        return form_of(self.rest)

    @property
    def dtype(self) -> torch.dtype:
        """Of hidden states, keys and values."""
        return torch.float32 if self.form == "int8" else getattr(torch, self.form)

    def __str__(self) -> str:
        return ", ".join(
            [f"{kernel} up to {most} tokens" for most, kernel in self.buckets] + [self.rest]
        )


def stored(
    form: Form, tensors: Iterator[tuple[str, Tensor]], config: ModelConfig
) -> Iterator[tuple[str, Tensor]]:
    """What the store keeps of a model: linear weights in `form`, norms and biases in float32, the
    embedding in float16 beside int8 linears (its rows are only looked up)."""
    linears = {f"{name}.weight" for name in layout.linear_names(config)}
    for name, tensor in tensors:
        if name == "embed.weight":
            if form == "int8" and config.tied_head:
                yield from _int8("head", tensor)
            yield name, tensor.to(torch.float16 if form == "int8" else getattr(torch, form))
        elif name not in linears:
            yield name, tensor.float()
        elif form == "int8":
            yield from _int8(name.removesuffix(".weight"), tensor)
        else:
            yield name, tensor.to(getattr(torch, form))


def _int8(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    weight = Int8Weight.quantise(tensor)
    yield f"{name}.values", weight.values
    yield f"{name}.scales", weight.scales


def linears(
    config: ModelConfig, tensors: Mapping[str, Tensor], plan: KernelPlan
) -> dict[str, Linear]:
    """Every linear of the model, built from what the store keeps."""

    def build(name: str) -> Linear:
        weight = read_weight(tensors, name, plan.form)
        bias = tensors.get(f"{name}.bias")
        if bias is not None:
            bias = bias.to(plan.dtype)
        rest = make(plan.rest, weight, bias, plan.levels)
        if not plan.buckets:
            return rest
        return BucketedLinear(
            [(most, make(kernel, weight, bias, plan.levels)) for most, kernel in plan.buckets], rest
        )

    return {name: build(name) for name in layout.linear_names(config)}


def read_weight(tensors: Mapping[str, Tensor], name: str, form: Form) -> Tensor | Int8Weight:
    if form == "int8":
        return Int8Weight(tensors[f"{name}.values"], tensors[f"{name}.scales"])
    weight = tensors.get(f"{name}.weight")
    return tensors["embed.weight"] if weight is None else weight  # a tied head


def make(kernel: Kernel, weight: Tensor | Int8Weight, bias: Tensor | None, levels: int) -> Linear:
    match kernel, weight:
        case "int8-fbgemm", Int8Weight():
            return FbgemmLinear(weight, bias, levels)
        case "int8-onednn", Int8Weight():
            return OnednnLinear(weight, bias, levels)
        case "int8-weight-only", Int8Weight():
            return WeightOnlyInt8Linear(weight, bias)
        case (("float32" | "bfloat16" | "float16"), Tensor()):
            return FloatLinear(weight, bias)
    raise ModelError(f"kernel {kernel!r} is not one of {', '.join(KERNELS)}")
