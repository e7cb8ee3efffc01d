"""The kernels that are fastest on this machine: measured once, and remembered.

Every candidate multiplies by the same matrices, enough of them that weights come from memory as
they do in a forward pass, for several numbers of tokens; kernels take turns and the least time of
each counts. The answer is kept in the cache folder under the processor, the number of threads, the
version of torch and our own code. A busy machine is not measured: it gets `unmeasured`, and its
turn another time.

Kernels are mixed only where each gives the exact sums (linear.py): that depends on the processor
and on the library, so it is tried, not assumed. Our own is not mixed with others: it reads the
weights as they are stored, and every other kernel would need a packed copy.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import psutil
import torch
from torch import Tensor

from .cpu.int5_weight import Int5Weight
from .cpu.native import Native
from .exactness import FBGEMM, FORMS_TO_TRY, INTEGER_SUMS, ONEDNN, OWN, SHORT, exact, probe
from .kernels import LEVELS, Form, Kernel, KernelPlan, Weight, form_of, make
from .linear import Int8Weight, Linear, onednn_has_amx, onednn_limit

Wanted = Literal["auto", "int8"]
TOKENS = (1, 4, 8, 16, 64, 256)
INTEGER: tuple[Kernel, ...] = (*INTEGER_SUMS, "int8-weight-only")
FLOATING: tuple[Kernel, ...] = ("bfloat16", "float32")
KERNELS_TO_TRY: tuple[Kernel, ...] = (SHORT, *INTEGER, *FLOATING)
WORTHWHILE = 0.9  # a second kernel costs memory: it must take less than this share of the time
NO_WORSE = 1.25  # times as long as any other may our own kernel take for any number of tokens
SHAPE = (4864, 896)  # the largest matrix of the default model's layers
MATRICES = 12  # 50 MB as int8, past most caches' reach
ROUNDS = 7
BUSY_PERCENT = 30.0  # of all processors, before we start


@dataclass(frozen=True)
class Measured:
    """`form`: of integer weights here; `exact`: the kernels that give the exact sums on it;
    `times_us`: per matrix, for each of TOKENS, by kernel."""

    form: Form
    exact: list[Kernel]
    times_us: dict[Kernel, list[float]]


def fastest(
    folder: Path,
    note: Callable[[str], None],
    wanted: Wanted = "auto",
    take: Callable[[], Measured] | None = None,
    busy: Callable[[], bool] | None = None,
    native: Native | None = None,
) -> KernelPlan:
    """This machine's plan, from what `folder` remembers, else measured now (by `take`) unless the
    machine is `busy`. `native`: what our own kernel runs on."""
    path = folder / "kernels.json"
    known = _read(path)
    here = machine(native)
    if here not in known:
        if (busy or is_busy)():
            plan = unmeasured(native, wanted)
            note(f"this machine is busy: taking {plan} without measuring")
            return plan
        note("measuring which kernels are fastest here, once")
        known[here] = measure(native) if take is None else take()
        _write(path, known)
    return replace(choose(known[here], wanted), native=native)


def is_busy() -> bool:
    return psutil.cpu_percent(interval=0.2) > BUSY_PERCENT


def machine(native: Native | None = None) -> str:
    """What the fastest kernel depends on, as one line."""
    capability = torch.backends.cpu.get_cpu_capability()
    threads = torch.get_num_threads()
    held_to = onednn_limit()
    limit = f", oneDNN up to {held_to}" if held_to else ""
    limit += ", AMX" if onednn_has_amx() else ""
    own = "" if native is None else f", our kernels {native.code.name[:8]}"
    torch_ = f"torch {torch.__version__}"
    return f"{_processor()}, {capability}{limit}, {threads} threads, {torch_}{own}"


@torch.inference_mode()
def measure(native: Native | None = None) -> Measured:
    """Time every kernel that works here."""
    form, sound = probe(native)
    if _short_is_exact(native):
        sound.insert(0, SHORT)
    weights = [torch.randn(SHAPE) for _ in range(MATRICES)]
    made: dict[Kernel, list[Linear]] = {}
    for kernel in KERNELS_TO_TRY:
        if linears := _make_all(kernel, weights, LEVELS[form], native):
            made[kernel] = linears
    times: dict[Kernel, list[float]] = {kernel: [] for kernel in made}
    for tokens in TOKENS:
        inputs = {kernel: _input(kernel, tokens, SHAPE[1]) for kernel in made}
        rounds = [{k: _time_us(made[k], inputs[k]) for k in made} for _ in range(ROUNDS)]
        for kernel in made:
            times[kernel].append(min(lap[kernel] for lap in rounds))
    return Measured(form, sound, times)


def unmeasured(native: Native | None = None, wanted: Wanted = "auto") -> KernelPlan:
    """What won on most processors seen so far, as far as it is sound on this one."""
    if native is not None and native.processor.dot == "avx2":  # where it reads prompts slowly
        return replace(unmeasured(wanted=wanted), native=native)
    if wanted == "auto" and _short_is_exact(native):
        return KernelPlan("int5", SHORT, native=native)
    form, sound = probe(native)
    if not sound:
        return replace(KernelPlan.floating("float32"), native=native)
    early = ONEDNN if ONEDNN in sound and sound[0] == FBGEMM else None
    return KernelPlan(form, sound[0], early=early, native=native)


def choose(found: Measured, wanted: Wanted = "auto") -> KernelPlan:
    """The fastest plan. `auto`: integers, unless a float kernel wins over all sizes together."""
    times = _worthwhile(found)
    integers: list[Kernel] = [k for k in INTEGER if k in times]
    alike: list[Kernel] = [k for k in integers if k in found.exact]

    def per_token(kernel: Kernel) -> float:
        return sum(t / tokens for t, tokens in zip(times[kernel], TOKENS, strict=True))

    candidates: list[Kernel] = integers if wanted == "int8" and integers else list(times)
    best = min(candidates, key=per_token)
    if best not in integers:
        return KernelPlan(form_of(best), best)
    if best not in alike:
        return KernelPlan(found.form, best, exact=False)
    if best == OWN:
        return KernelPlan(found.form, best)
    alike = [k for k in alike if k != OWN]
    fastest: list[Kernel] = [min(alike, key=lambda k: times[k][i]) for i in range(len(TOKENS))]
    kernels: list[Kernel] = [
        kernel if times[kernel][i] < WORTHWHILE * times[best][i] else best
        for i, kernel in enumerate(fastest)
    ]
    changes = [i for i in range(len(TOKENS) - 1) if kernels[i] != kernels[i + 1]]
    buckets: tuple[tuple[int, Kernel], ...] = tuple((TOKENS[i], kernels[i]) for i in changes)
    early: Kernel | None = ONEDNN if ONEDNN in alike else None
    return KernelPlan(found.form, kernels[-1], buckets, None if {*kernels} == {early} else early)


def _worthwhile(found: Measured) -> dict[Kernel, list[float]]:
    """What was measured, without those kernels of our own that take much longer than another for
    some number of tokens: fast single tokens do not make up for slow prompts."""
    times = dict(found.times_us)
    for ours in (OWN, SHORT):
        others = [times[k] for k in found.exact if k in times and k not in (OWN, SHORT)]
        if ours in times and others:
            best = [min(lap) for lap in zip(*others, strict=True)]
            if any(own > NO_WORSE * other for own, other in zip(times[ours], best, strict=True)):
                del times[ours]
    return times


def _short_is_exact(native: Native | None) -> bool:
    return native is not None and exact(SHORT, "int5", native)


def _make_all(
    kernel: Kernel, weights: Sequence[Tensor], levels: int, native: Native | None
) -> list[Linear]:
    """The kernel for each weight; none at all where this torch build or processor lacks it."""
    if kernel in (OWN, SHORT) and native is None:
        return []
    try:
        linears = [make(kernel, _weight(kernel, w, levels), native=native) for w in weights]
        linears[0](_input(kernel, 1, weights[0].shape[1]))
    except (RuntimeError, AttributeError):
        return []
    return linears


def _weight(kernel: Kernel, weight: Tensor, levels: int) -> Tensor | Weight:
    """What the kernel reads."""
    if kernel == SHORT:
        return Int5Weight.quantise(weight)
    if kernel in INTEGER:
        return Int8Weight.quantise(weight, levels)
    return weight.to(getattr(torch, kernel))


def _input(kernel: Kernel, tokens: int, features: int) -> Tensor:
    x = torch.randn(tokens, features)
    return x if kernel in (SHORT, *INTEGER) else x.to(getattr(torch, kernel))


def _time_us(linears: Sequence[Linear], x: Tensor) -> float:
    """Time per matrix for `x` (tokens, in)."""
    few = linears[: max(1, 4 * len(linears) // max(4, len(x)))]  # many tokens hide the weights
    start = time.perf_counter()
    for linear in few:
        linear(x)
    return round((time.perf_counter() - start) / len(few) * 1e6, 1)


def _processor() -> str:
    """The processor's name; `/proc/cpuinfo` where there is one, since `platform` often has none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _read(path: Path) -> dict[str, Measured]:
    """What was measured before; a file that cannot be read means: nothing."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        known = {key: Measured(**value) for key, value in raw.items()}
        return {key: found for key, found in known.items() if _makes_sense(found)}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _makes_sense(found: Measured) -> bool:
    """Whether a plan can be chosen from it: the file may be another version's, or damaged."""
    times = found.times_us
    kernels = {*times, *found.exact}
    return (
        found.form in FORMS_TO_TRY
        and bool(times)
        and kernels <= {*KERNELS_TO_TRY}
        and all(
            len(lap) == len(TOKENS) and all(0 < time_us < math.inf for time_us in lap)
            for lap in times.values()
        )
    )


def _write(path: Path, known: Mapping[str, Measured]) -> None:
    """Kept if it can be: where the cache is read-only, the next start measures again."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({k: asdict(t) for k, t in known.items()}, indent=1))
        partial.replace(path)
