"""Which kernels give the exact sums on this processor, and with which weights: it is tried."""

import torch
from torch import Tensor

from ..errors import ModelError
from .cpu.int5_weight import LARGEST_STEP, MIDDLE, Int5Weight
from .cpu.native import Native
from .kernels import LEVELS, Form, Kernel, Weight, make
from .linear import CODES, Int8Weight

OWN: Kernel = "int8-numba"
SHORT: Kernel = "int5-numba"  # our own, for weights of five bits
FBGEMM: Kernel = "int8-fbgemm"
ONEDNN: Kernel = "int8-onednn"
INTEGER_SUMS: tuple[Kernel, ...] = (OWN, FBGEMM, ONEDNN)  # of int8 weights
FORMS_TO_TRY: tuple[Form, ...] = ("int8", "int7")  # the finer first
PROBES = ((512, 896), (48, 4864), (384, 4864))  # shapes (out, in)


@torch.inference_mode()
def probe(native: Native | None = None) -> tuple[Form, list[Kernel]]:
    """The finest form of whole bytes that every integer kernel here is exact on, and those kernels;
    where there is none, the finest that any is exact on. x86 processors without VNNI saturate on
    the full range, and are given fewer levels."""
    runs: list[Kernel] = [k for k in INTEGER_SUMS if _runs(k, native)]
    tried: list[tuple[Form, list[Kernel]]] = [
        (form, [k for k in runs if exact(k, form, native)]) for form in FORMS_TO_TRY
    ]
    some = next((found for found in tried if found[1]), tried[-1])
    return next((found for found in tried if found[1] == runs), some)


@torch.inference_mode()
def exact(kernel: Kernel, form: Form, native: Native | None = None) -> bool:
    """Whether a kernel's every entry is the exact integer sum, rounded to float32 and scaled once:
    for random and for extreme codes, alone and in a batch."""
    random = torch.Generator().manual_seed(0)

    def codes(*shape: int, most: int) -> Tensor:
        return torch.randint(-most, most + 1, shape, generator=random)

    for outs, ins in PROBES:
        most = LARGEST_STEP * MIDDLE if form == "int5" else LEVELS[form]
        values, x = codes(outs, ins, most=most), codes(20, ins, most=CODES)
        values[::4], x[::4] = values[::4].sign() * most, x[::4].sign() * CODES
        values[1::4], x[1::4] = most, CODES
        x[:, 0] = CODES  # the peak, so that codes are what they are
        scales = torch.rand(outs, generator=random) + 0.01
        weight, whole = _weight(values, scales, form)
        right = (x.double() @ whole.double().T).float() * scales
        linear = make(kernel, weight, native=native)
        for tokens in (1, 3, len(x)):
            if not torch.equal(linear(x[:tokens].float()), right[:tokens]):
                return False
    return True


def _weight(values: Tensor, scales: Tensor, form: Form) -> tuple[Weight, Tensor]:
    """A weight of that form with about these whole numbers, and those that it really has."""
    if form == "int5":
        found = Int5Weight(Int5Weight.quantise(values).packed, scales)
        return found, found.whole()
    return Int8Weight(values.to(torch.int8), scales), values


def _runs(kernel: Kernel, native: Native | None) -> bool:
    """Whether this torch build and processor have the kernel at all."""
    try:
        make(kernel, Int8Weight.quantise(torch.ones(32, 64), 63), native=native)
    except (RuntimeError, AttributeError, ModelError):
        return False
    return True
