"""The examination of this machine: findings, and advice for those that are not as they should
be. Loads no model.
"""

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from tempfile import TemporaryFile

import torch

from ..cache.errors import KeyturnError
from ..models.hub.cache_folder import cache_errors, cache_folder
from ..models.hub.progress import Progress
from ..models.loading.inventory import holding
from ..models.loading.loader import pick_device, pick_plan
from ..models.nn.attention_backends import ROW_BY_ROW, Machine, installed, survey
from ..models.nn.few_rows import rows_agree
from .config import LOOKUP, SERVERS, Config

DEFAULT_HEADS = (14, 2, 64)  # of the default model: for queries, for keys, and their size


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `advice` says what to do, when there is something to do."""

    name: str
    found: str
    ok: bool = True  # False: completions will not work until the advice is followed
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    findings: tuple[Finding, ...] = field(default_factory=tuple)

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)


def examine(model: str, config: Config, progress: Progress) -> Report:
    """Look at everything that a completion with `model` needs. Kernels are measured if they have
    not been on this machine, which takes some seconds and is then remembered."""
    return Report(
        (
            *_versions(),
            _device(),
            *_speed(progress),
            Finding("threads", f"{torch.get_num_threads()} of {os.cpu_count()} logical processors"),
            _model(model),
            *_settings(config),
            *_cache(),
            *_optional(),
        )
    )


def _versions() -> Iterator[Finding]:
    yield Finding("keyturn", version("keyturn"))
    yield Finding("system", f"{platform.platform()}, Python {platform.python_version()}")
    for package in ("torch", "transformers", "tokenizers"):
        try:
            yield Finding(package, version(package))
        except PackageNotFoundError:
            yield Finding(package, "missing", ok=False, advice=f"pip install {package}")


def _device() -> Finding:
    device = pick_device("auto")
    if device.type != "cuda":
        return Finding("device", f"cpu ({torch.backends.cpu.get_cpu_capability()})")
    properties = torch.cuda.get_device_properties(device)
    return Finding("device", f"cuda ({properties.name}, {properties.total_memory / 1e9:.0f} GB)")


def _speed(progress: Progress) -> Iterator[Finding]:
    """Which kernels and which attention a model would get, one with heads that all backends know;
    and why not the other backends."""
    device = pick_device("auto")
    try:
        plan = pick_plan(device, "auto", cache_folder(), progress)
    except KeyturnError as error:
        yield Finding("kernels", "not chosen", ok=False, advice=str(error))
        return
    yield Finding("kernels", str(plan))
    backends = survey(Machine.of(device, plan.native), plan.dtype)
    best = next(backend for backend in backends if not backend.missing)
    without = [f"{b.name} {b.missing}" for b in backends if b.missing]
    joined = best.name != "torch" or device.type != "cpu"
    if not joined and not rows_agree(*DEFAULT_HEADS, torch.get_num_threads()):
        without.insert(0, ROW_BY_ROW)
    yield Finding("attention", best.name + (f" ({'; '.join(without)})" if without else ""))


def _model(name: str) -> Finding:
    if name == LOOKUP:
        return Finding("model", f"{LOOKUP}: none is needed")
    if name.startswith(SERVERS):
        return Finding("model", f"{name}: `keyturn daemon status` says whether it answers")
    try:
        held = holding(name, cache_folder())
    except KeyturnError as error:
        return Finding("model", name, ok=False, advice=str(error))
    size = f"{held.files_bytes / 1e6:,.0f} MB" if held.files_bytes else "size unknown"
    if held.path is None:
        advice = f"the first completion fetches it ({size}), or now: keyturn model pull {name}"
        return Finding("model", f"{name}, not here", advice=advice)
    forms = f", ready as {', '.join(held.forms)}" if held.forms else ", not yet converted"
    return Finding("model", f"{name}, {size}{forms}")


def _settings(config: Config) -> Iterator[Finding]:
    """What is wrong with them, a finding each; completions work with what counts instead."""
    advice = "correct it; until then what `keyturn config show` says is in force"
    for number, problem in enumerate(config.problems, 1):
        name = "settings" if len(config.problems) == 1 else f"settings, {number}"
        yield Finding(name, problem, advice=advice)
    if not config.problems:
        changed = sum(source != "default" for source in config.sources.values())
        yield Finding("settings", f"{changed} of {len(config.sources)} changed")


def _cache() -> Iterator[Finding]:
    folder = cache_folder()
    try:
        with cache_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
            free_bytes = shutil.disk_usage(folder).free
    except KeyturnError as error:
        yield Finding("cache folder", str(folder), ok=False, advice=str(error))
    else:
        yield Finding("cache folder", str(folder))
        yield Finding("free space", f"{free_bytes / 1e9:,.1f} GB")


def _optional() -> Iterator[Finding]:
    cuda = torch.cuda.is_available()
    built = torch.version.cuda
    if cuda:
        yield Finding("CUDA", f"{built}")
    elif built is None:
        advice = (
            "a CPU is enough; for an NVIDIA GPU, install a CUDA build of the same torch version"
        )
        yield Finding("CUDA", "not in this build of torch", advice=advice)
    else:
        advice = "a CPU is enough; for an NVIDIA GPU, check its driver with nvidia-smi"
        yield Finding("CUDA", f"{built}, but no GPU was found", advice=advice)
    for package, extra in (("triton", "gpu"), ("flash-attn", "flash"), ("flash-attn-4", "flash4")):
        if found := installed(package):
            yield Finding(package, found)
        else:
            advice = f"pip install 'keyturn[{extra}]'" if cuda else "of use on a GPU only"
            yield Finding(package, "missing (optional)", advice=advice)
