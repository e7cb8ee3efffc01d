"""From a model's name to something that runs: obtain, convert once, map into memory, assemble."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor

from ...cache.element import Codes
from ..errors import ModelError, UnsupportedModel
from ..hub.cache_folder import cache_folder, require_space
from ..hub.download import ModelFiles, obtain
from ..hub.progress import Progress
from ..hub.registry import find
from ..nn import weight_names
from ..nn.attention import cpu_partial
from ..nn.attention_backends import Machine, choose
from ..nn.autotune import fastest
from ..nn.config import ModelConfig
from ..nn.cpu.native import Native, missing
from ..nn.cpu.proof import sound
from ..nn.kernels import INTEGERS, LEVELS, Form, KernelPlan, stored
from ..nn.transformer import Transformer, assemble
from ..tokenizer.bpe import Tokenizer
from ..tokenizer.vocabulary import Vocabulary
from .checkpoint import Checkpoint, open_checkpoint
from .key_factors import key_factors
from .smoothquant import smoothed
from .store import Entry, Store, StoreKey
from .tensor_file import MappedTensors

FORM_BYTES: Mapping[Form, int] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1, "int7": 1,
                                          "int5": 1, "int4": 1}  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    name: str
    model: Transformer
    tokenizer: Tokenizer
    config: ModelConfig
    plan: KernelPlan
    files: ModelFiles  # where the weights came from, and their SHA-256
    attention: str = "torch"  # by what (attention_backends.py)
    mapped: MappedTensors | None = None  # the stored form that the weights were read from

    def settle(self, cancelled: Callable[[], bool] = lambda: False) -> bool:
        """`Transformer.settle`; what was read for it is given back to the system at its end."""
        waiting = self.model.kernels_to_pack()
        if not self.model.settle(cancelled):
            return False
        if waiting and self.mapped is not None:
            self.mapped.drop_pages()
        return True


def load(
    name: str,
    device: str = "auto",
    dtype: str = "auto",
    plan: KernelPlan | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    settle: bool = False,
    attention: str = "auto",
) -> Loaded:
    """Load a model by name, repository or path, fetching and converting it the first time.

    `dtype`: auto, float32, bfloat16, float16, int8, int5 or int4; `plan` overrides it with exact
    kernels. `cache` defaults to `cache_folder()`; `progress` to silence. `settle`: pack the
    fastest kernels now, which takes seconds, rather than when `Transformer.settle` is called.
    `attention`: auto, or a backend by name (`attention_backends.NAMES`). Raises `ModelError`.
    """
    cache = cache or cache_folder()
    progress = progress or Progress(None)
    model, chosen = find(name), pick_device(device)
    plan = plan or pick_plan(chosen, dtype, cache, progress)
    if plan.native is None:
        plan = replace(plan, native=_native(chosen, cache, progress))
    files = obtain(model, cache, progress)
    loaded = _load_planned(files, plan, chosen, cache, progress, attention)
    if settle:
        loaded.settle()
    return loaded


def _load_planned(
    files: ModelFiles,
    plan: KernelPlan,
    device: torch.device,
    cache: Path,
    progress: Progress,
    attention: str,
) -> Loaded:
    if plan.form == "float32" or (files.path.is_dir() and plan.form not in INTEGERS):
        return _load_source(files, plan, device, attention)
    entry = converted(files, plan.form, Store(cache), progress)
    config = ModelConfig.from_hf(entry.info.config)
    tensors = entry.tensors(str(device))
    loaded = _assemble(files, config, tensors, entry.vocabulary(), plan, device, attention)
    return replace(loaded, mapped=tensors)


def converted(files: ModelFiles, form: Form, store: Store, progress: Progress) -> Entry:
    """The store's entry for these files in this form, made now if it is not there."""
    key = StoreKey(files.sha256, form)
    if entry := store.open(key):
        return entry
    with store.lock(key):
        if entry := store.open(key):  # another process made it meanwhile
            return entry
        checkpoint = open_checkpoint(files.path)
        config = read_config(checkpoint)
        require_space(store.root, _parameters(config) * FORM_BYTES[form], f"{files.name} ({form})")
        progress.note(f"converting {files.name} to {form}, once")
        vocabulary = checkpoint.vocabulary()
        fused = _fused(config, checkpoint)
        if form in LEVELS:
            fused = smoothed(config, fused, calibration_tokens(vocabulary), cpu_partial)
        tensors = stored(form, fused, config)
        return store.write(key, files.name, tensors, checkpoint.config, vocabulary)


def read_config(checkpoint: Checkpoint) -> ModelConfig:
    try:
        return ModelConfig.from_hf(checkpoint.config)
    except KeyError as error:
        raise ModelError(f"the model's config.json lacks {error}") from error


def calibration_tokens(vocabulary: Vocabulary) -> list[int]:
    """The text that is read while activations are observed (`smoothquant`)."""
    text = (
        resources.files("keyturn.models.loading")
        .joinpath("calibration.txt")
        .read_text(encoding="utf-8")
    )
    return Tokenizer(vocabulary).encode(text)


def pick_device(device: str) -> torch.device:
    """`auto` is the first CUDA device if there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"there is no device {device!r}: use auto, cpu or cuda") from error
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError("no CUDA device was found here: use --device cpu")
    return chosen


def pick_plan(device: torch.device, dtype: str, cache: Path, progress: Progress) -> KernelPlan:
    """The kernels for a data type; `auto` is what was measured fastest on this CPU, and on a GPU
    bfloat16 (else float16)."""
    if dtype == "auto" and device.type == "cuda":
        dtype = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    match dtype:
        case "float32" | "bfloat16" | "float16":
            return KernelPlan.floating(dtype)
        case "int4":
            return KernelPlan("int4", "int4-bfloat16")
        case "int8" if device.type == "cuda":
            return KernelPlan("int8", "int8-bfloat16")
        case "auto" | "int8" if device.type == "cpu":
            native = _native(device, cache, progress)
            return fastest(cache, progress.note, dtype, native=native)
        case "int5" if device.type == "cpu":
            native = _native(device, cache, progress)
            if native is None:
                raise UnsupportedModel(f"dtype 'int5' cannot be had here: {missing()}")
            return KernelPlan("int5", "int5-numba", native=native)
    raise UnsupportedModel(f"dtype {dtype!r} does not exist on {device.type}")


def _native(device: torch.device, cache: Path, progress: Progress) -> Native | None:
    if device.type != "cpu":
        return None
    return Native.here(cache / "kernels", progress.note, sound)


def _load_source(
    files: ModelFiles, plan: KernelPlan, device: torch.device, attention: str
) -> Loaded:
    """Straight from the published files, without a stored form."""
    checkpoint = open_checkpoint(files.path)
    config = read_config(checkpoint)
    made = stored(plan.form, _fused(config, checkpoint), config)
    tensors = {name: tensor.to(device) for name, tensor in made}
    return _assemble(files, config, tensors, checkpoint.vocabulary(), plan, device, attention)


def _assemble(
    files: ModelFiles,
    config: ModelConfig,
    tensors: Mapping[str, Tensor],
    vocabulary: Vocabulary,
    plan: KernelPlan,
    device: torch.device,
    attention: str,
) -> Loaded:
    machine = Machine.of(device, plan.native)
    chosen = choose(attention, device, plan.dtype, config, machine)
    eight_bits = chosen.codes and plan.form in INTEGERS
    element = Codes(key_factors(config, tensors, plan.form)) if eight_bits else None
    model = assemble(config, tensors, plan, chosen.partial, chosen.shortcut, element)
    return Loaded(files.name, model, Tokenizer(vocabulary), config, plan, files, chosen.name)


def _fused(config: ModelConfig, checkpoint: Checkpoint) -> Iterator[tuple[str, Tensor]]:
    def source(name: str) -> Tensor:
        try:
            return checkpoint.tensors[name]
        except KeyError as error:
            raise ModelError(f"the model lacks {name}, which its config asks for") from error

    return weight_names.tensors(config, source)


def _parameters(config: ModelConfig) -> int:
    """About how many weights there are; the embedding counts three times, for its wider type."""
    query, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    attention = config.hidden * (2 * query + 2 * keys)
    mlp = config.hidden * config.intermediate * (3 if config.gated else 2)
    return config.layers * (attention + mlp) + 3 * config.vocabulary * config.hidden
