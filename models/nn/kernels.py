"""Kernels for products with a weight: the form each needs, how it is built, what a plan says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from ..errors import ModelError
from . import weight_names
from .config import ModelConfig
from .cpu.int5_weight import Int5Weight
from .cpu.native import Native
from .cpu.stored_linear import StoredLinear
from .linear import (
    BucketedLinear,
    FbgemmProduct,
    FloatLinear,
    Int8Linear,
    Int8Weight,
    LateLinear,
    LayerNorm,
    Linear,
    Norm,
    OnednnProduct,
    RmsNorm,
    WeightOnlyProduct,
)
from .weight_only import Int4Weight, WeightOnlyLinear

Weight = Int8Weight | Int5Weight | Int4Weight

# The last two keep activations in bfloat16; they are for GPUs, and run anywhere.
Kernel = Literal["float32", "bfloat16", "float16", "int8-numba", "int8-fbgemm", "int8-onednn",
                 "int8-weight-only", "int5-numba", "int8-bfloat16", "int4-bfloat16"]  # fmt: skip
KERNELS: tuple[Kernel, ...] = get_args(Kernel)

# What is stored for a linear weight. "int7" are int8 bytes of at most 63: x86 processors without
# VNNI add pairs of products in saturating 16-bit arithmetic, which 255 * 63 * 2 just does not fill.
# "int5" and "int4" are such groups where the shape allows it. Elsewhere the former are "int7", also
# in front of attention, where five bits lose most for the least memory; the latter "int8", also the
# head.
Form = Literal["float32", "bfloat16", "float16", "int8", "int7", "int5", "int4"]
FORMS: tuple[Form, ...] = get_args(Form)
LEVELS: Mapping[str, int] = {"int8": 127, "int7": 63, "int5": 63}  # of bytes, times codes
INTEGERS = (*LEVELS, "int4")


def form_of(kernel: Kernel) -> Form:
    """What a kernel reads, where nothing is known of the machine."""
    whole = kernel.partition("-")[0]
    return whole if whole in INTEGERS else kernel  # type: ignore[return-value]


@dataclass(frozen=True)
class KernelPlan:
    """A kernel per number of tokens: `buckets` of (largest number of tokens, kernel), then `rest`;
    all of them read the one stored `form`. `early` serves until the others are packed. `exact`:
    the integer kernels were found to give the same bits, whichever of them multiplies. `native`:
    what our own kernels run on, if there are any here."""

    form: Form
    rest: Kernel
    buckets: tuple[tuple[int, Kernel], ...] = ()
    early: Kernel | None = None
    exact: bool = True
    native: Native | None = field(default=None, compare=False, repr=False)

    @classmethod
    def floating(cls, dtype: Literal["float32", "bfloat16", "float16"]) -> "KernelPlan":
        return cls(dtype, dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Of hidden states, keys and values."""
        if self.rest.endswith("-bfloat16"):
            return torch.bfloat16
        return torch.float32 if self.form in LEVELS else getattr(torch, self.form)

    @property
    def weight_bits(self) -> int:
        """Of each number in a linear weight."""
        return int("".join(filter(str.isdigit, self.form)))

    def __str__(self) -> str:
        named = [f"{kernel} up to {most} tokens" for most, kernel in self.buckets]
        inexact = "" if self.exact else "; sums are not exact here, last bits depend on the batch"
        return f"{', '.join([*named, self.rest])} ({self.form} weights{inexact})"


def stored(
    form: Form, tensors: Iterable[tuple[str, Tensor]], config: ModelConfig
) -> Iterator[tuple[str, Tensor]]:
    """What the store keeps of a model (`weight_names.tensors`): linear weights in `form`, norms and
    biases in float32, and beside integer linears the embedding, whose rows are only looked up, in
    float16."""
    head = None
    for name, tensor in tensors:
        noun = name.rpartition(".")[0]
        if tensor.dim() == 1:
            yield name, tensor.float()
        elif form not in INTEGERS:
            yield name, tensor.to(getattr(torch, form))
        elif noun == "embed":
            yield name, tensor.half()
            head = tensor if config.tied_head else None
        else:
            yield from integer(noun, tensor, form)
            head = None if noun == "head" else head
    if head is not None:
        yield from integer("head", head, form)


def integer(name: str, weight: Tensor, form: Form) -> Iterator[tuple[str, Tensor]]:
    """One linear weight as the integer kernels read it."""
    if form == "int5" and not name.endswith("qkv") and Int5Weight.takes(weight):
        grouped = Int5Weight.quantise(weight)
        yield f"{name}.packed", grouped.packed
        yield f"{name}.scales", grouped.scales
        return
    if form == "int4" and name != "head" and Int4Weight.takes(weight):
        fine = Int4Weight.quantise(weight)
        yield f"{name}.codes", fine.codes
        yield f"{name}.scales_zeros", fine.scales_zeros
        return
    quantised = Int8Weight.quantise(weight, LEVELS.get(form, 127))
    yield f"{name}.values", quantised.values
    yield f"{name}.scales", quantised.scales


def linears(
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    plan: KernelPlan,
    names: Iterable[str] | None = None,
) -> dict[str, Linear]:
    """Linears with the norm before each, from what the store keeps; default: the whole model's."""

    def build(name: str) -> Linear:
        weight = read_weight(tensors, name, plan.form)
        bias = tensors.get(f"{name}.bias")
        bias = None if bias is None else bias.to(plan.dtype)
        norm = read_norm(config, tensors, weight_names.norm_before(name), plan.dtype)

        def settled() -> Linear:
            rest = make(plan.rest, weight, bias, norm, plan.native)
            if not plan.buckets:
                return rest
            few = [(n, make(k, weight, bias, norm, plan.native)) for n, k in plan.buckets]
            return BucketedLinear(few, rest)

        if plan.early is None:
            return settled()
        return LateLinear(make(plan.early, weight, bias, norm, plan.native), settled)

    return {name: build(name) for name in names or weight_names.linear_names(config)}


def read_weight(tensors: Mapping[str, Tensor], name: str, form: Form) -> Tensor | Weight:
    if form == "int5" and (packed := tensors.get(f"{name}.packed")) is not None:
        return Int5Weight(packed, tensors[f"{name}.scales"])
    if form == "int4" and (codes := tensors.get(f"{name}.codes")) is not None:
        return Int4Weight(codes, tensors[f"{name}.scales_zeros"])
    if form in INTEGERS:
        return Int8Weight(tensors[f"{name}.values"], tensors[f"{name}.scales"])
    weight = tensors.get(f"{name}.weight")
    return tensors["embed.weight"] if weight is None else weight  # a tied head


def read_norm(
    config: ModelConfig, tensors: Mapping[str, Tensor], name: str | None, dtype: torch.dtype
) -> Norm | None:
    if name is None:
        return None
    weight, bias = tensors[f"{name}.weight"].to(dtype), tensors.get(f"{name}.bias")
    if config.norm == "rms":
        return RmsNorm(weight, config.norm_eps)
    return LayerNorm(weight, None if bias is None else bias.to(dtype), config.norm_eps)


def make(
    kernel: Kernel,
    weight: Tensor | Weight,
    bias: Tensor | None = None,
    norm: Norm | None = None,
    native: Native | None = None,
) -> Linear:
    """One linear by one kernel. Raises `ModelError` for a kernel that does not take the weight."""
    match kernel, weight:
        case (("float32" | "bfloat16" | "float16"), Tensor()):
            return FloatLinear(weight, bias, norm)
        case (("int8-bfloat16" | "int4-bfloat16"), Int8Weight()) | ("int4-bfloat16", Int4Weight()):
            return WeightOnlyLinear(weight, torch.bfloat16, bias, norm)
        case "int5-numba", Int5Weight() if native is not None:
            return StoredLinear(weight, bias, norm, native)
        case (("int8-numba" | "int5-numba"), Int8Weight()) if native is not None:
            if StoredLinear.takes(weight):
                return StoredLinear(weight, bias, norm, native)
            product = FbgemmProduct(weight)
        case "int8-fbgemm", Int8Weight():
            product = FbgemmProduct(weight)
        case "int8-onednn", Int8Weight():
            product = (OnednnProduct if OnednnProduct.takes(weight) else FbgemmProduct)(weight)
        case "int8-weight-only", Int8Weight():
            product = WeightOnlyProduct(weight)
        case _:
            raise ModelError(f"kernel {kernel!r} does not multiply by this form of weight")
    return Int8Linear(product, len(weight.scales), bias, norm)
