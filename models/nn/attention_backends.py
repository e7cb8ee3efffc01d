"""Attention backends: what each needs, what is missing here, and which one is chosen.

Most are a `PartialAttention`, called once per segment. Two are our own kernels over all segments at
once: `triton` on a GPU for up to 32 tokens, on top of one of the others for longer steps, and
`numba` on a processor for any number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal, get_args

import torch

from ..errors import UnsupportedModel
from .attention import PartialAttention, by_flash, cpu_partial, cuda_partial, readable_partial
from .config import ModelConfig
from .cpu.native import Native, missing
from .cpu.step_attention import EveryStep
from .cuda_graphs import Graphs
from .few_rows import rows_agree

if TYPE_CHECKING:
    from .transformer import Shortcut, Transformer

Name = Literal["numba", "triton", "flash-attn-4", "flash-attn", "torch", "readable"]
NAMES: tuple[Name, ...] = get_args(Name)  # best first
HALF = (torch.bfloat16, torch.float16)
HEAD_DIMS = (64, 128)  # of our kernel for GPUs
HALF_HEAD = 16  # a head of our kernel for processors is a multiple of two of these
ROW_BY_ROW = "each of a few tokens alone (this processor adds up several in another order)"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the choice depends on. `capability`: of a CUDA device; None on a CPU. `native_missing`:
    why our kernels for a processor cannot be had; `native`: they, where they were loaded."""

    capability: tuple[int, int] | None
    packages: frozenset[str]  # of triton, flash-attn, flash-attn-4
    native_missing: str = ""
    native: Native | None = None

    @classmethod
    def of(cls, device: torch.device, native: Native | None = None) -> "Machine":
        cuda = device.type == "cuda"
        return cls(
            torch.cuda.get_device_capability(device) if cuda else None,
            frozenset(p for p in ("triton", "flash-attn", "flash-attn-4") if installed(p)),
            missing(),
            native,
        )


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to attend; `missing` says why not here, and is empty where it can be had."""

    name: Name
    missing: str = ""


@dataclass(frozen=True)
class Attention:
    """What was chosen: for every step, and for steps that have a quicker way. `codes`:
    whether the latter takes keys and values in eight bits."""

    name: str
    partial: PartialAttention
    shortcut: "Callable[[Transformer], Shortcut] | None" = None
    codes: bool = False


def installed(package: str) -> str | None:
    """Its version. Asked of the metadata, because flash-attn-4 alone makes a `flash_attn` that can
    be imported as well."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def survey(
    machine: Machine, dtype: torch.dtype = torch.bfloat16, head_dim: int | None = None
) -> list[Backend]:
    """Every backend, best first, for hidden states of `dtype`; `head_dim` None: any."""
    return [Backend(name, "; ".join(_missing(name, machine, dtype, head_dim))) for name in NAMES]


def _missing(
    name: Name, machine: Machine, dtype: torch.dtype, head_dim: int | None
) -> Iterator[str]:
    cuda = machine.capability
    if name == "numba":
        yield from _native_missing(machine, dtype, head_dim)
        return
    if name == "readable" or (name == "torch" and cuda is None):
        return
    if cuda is None:
        yield "needs a CUDA GPU"
    elif cuda < (8, 0):
        yield f"needs compute capability 8.0, this GPU has {cuda[0]}.{cuda[1]}"
    elif name == "flash-attn-4" and cuda < (9, 0):
        yield f"is of use from compute capability 9.0 on, this GPU has {cuda[0]}.{cuda[1]}"
    if name in ("triton", "flash-attn", "flash-attn-4") and name not in machine.packages:
        yield f"the package {name} is not installed"
    if name != "triton" and dtype not in HALF and cuda is not None:
        yield f"needs bfloat16 or float16, not {str(dtype).removeprefix('torch.')}"
    if name == "triton" and head_dim is not None and head_dim not in HEAD_DIMS:
        yield f"has no kernel for heads of {head_dim}"


def _native_missing(machine: Machine, dtype: torch.dtype, head_dim: int | None) -> Iterator[str]:
    if machine.capability is not None:
        yield "is for processors"
    elif machine.native is None:
        yield machine.native_missing or "has no sound code here"
    elif dtype != torch.float32:
        yield f"needs float32, not {str(dtype).removeprefix('torch.')}"
    if head_dim is not None and head_dim % (2 * HALF_HEAD):
        yield f"has no kernel for heads of {head_dim}"


def choose(
    wanted: str,
    device: torch.device,
    dtype: torch.dtype,
    config: ModelConfig,
    machine: Machine | None = None,
) -> Attention:
    """The backend `wanted`, or for `auto` the best there is. Raises `UnsupportedModel` saying what
    is missing for one that was named."""
    machine = machine or Machine.of(device)
    found = survey(machine, dtype, config.head_dim)
    reasons = {backend.name: backend.missing for backend in found}
    usable = [name for name, reason in reasons.items() if not reason]
    if wanted != "auto" and wanted not in usable:
        if wanted not in reasons:
            raise UnsupportedModel(
                f"there is no attention {wanted!r}: use auto, {', '.join(NAMES)}"
            )
        raise UnsupportedModel(f"attention {wanted!r} cannot be had here: {reasons[wanted]}")
    name = usable[0] if wanted == "auto" else wanted
    if name == "numba":
        native = machine.native
        assert native is not None
        codes = "int8" in native.processor.elements
        return Attention(name, cpu_partial, lambda model: EveryStep(model, native), codes)
    if name != "triton":
        partial = partial_of(name, device)
        alone = partial is cpu_partial and dtype == torch.float32 and not rows_agree_in(config)
        return Attention(f"{name}, {ROW_BY_ROW}" if alone else name, partial)
    rest = next(n for n in usable if n != "triton")
    return Attention(f"triton up to 32 tokens, {rest}", partial_of(rest, device), _recorded)


def rows_agree_in(config: ModelConfig) -> bool:
    """Whether a few tokens of this model can share their products here."""
    return rows_agree(config.heads, config.kv_heads, config.head_dim, torch.get_num_threads())


def partial_of(name: str, device: torch.device) -> PartialAttention:
    """The partial of a backend that can be had here."""
    match name:
        case "flash-attn-4":
            from flash_attn.cute import flash_attn_func  # pyright: ignore[reportMissingImports]

            return by_flash(flash_attn_func, return_lse=True)
        case "flash-attn":
            from flash_attn import flash_attn_func  # pyright: ignore[reportMissingImports]

            return by_flash(flash_attn_func, return_attn_probs=True)
        case "torch":
            return cpu_partial if device.type == "cpu" else cuda_partial
    return readable_partial


def _recorded(model: "Transformer") -> "Shortcut":
    from .cuda_graphs import FewTokens
    from .triton_attention import StepKernels

    def kernels(bucket: int) -> StepKernels:
        return StepKernels(model.heads, model.table, bucket)

    return FewTokens(model, kernels, Graphs())
