"""A file of trained exits: safetensors, pinned to the SHA-256 of the weights they were made for.

Matrices are int8 with a scale per row, the distances float32, and `ids` the tokens that an exit can
guess. The metadata says what made the file. It is written beside its place and renamed.

`ExitShape` is an exit's shape: plain integers, and the names of its tensors.

With h the state after the first `after` layers at a token, g the last layer's state at the last
verified token, `distance` tokens before it, and n(x) = x / rms(x):

    x  = enter · [n(h); n(g)] + distances[distance]
    x += out · attention(query · n(x), keys and values of layer `attended` up to the verified token)
    x += down · (silu(gate · n(x)) * (up · n(x)))

and the model's own last norm and `rows` of its own head read x. The attention asks what the model
has cached anyway, so an exit has no cache of its own: nothing to fill for a prompt, to keep right
over edits, or to roll back (GLIDE, arXiv 2402.02082, attends to its target's cache the same way;
the verified state as a second input is EAGLE's, arXiv 2401.15077).
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ...errors import BadExits
from ...hub.cache_folder import cache_errors
from ...nn.config import ModelConfig
from ...nn.linear import Int8Weight

EPSILON = 1e-6  # of n(x)
DISTANCES = 8  # further than that counts as that


@dataclass(frozen=True, slots=True)
class ExitShape:
    """Sizes in elements. `heads` query heads share `kv_heads`, as in the model."""

    after: int  # layers that the exit comes after
    attended: int  # layer, counted from 0, whose cache it attends to
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """The shape (out, in) of each linear weight."""
        wide = self.heads * self.head_dim
        return {
            "enter": (self.hidden, 2 * self.hidden),
            "query": (wide, self.hidden),
            "out": (self.hidden, wide),
            "up": (2 * self.intermediate, self.hidden),  # gate and up
            "down": (self.hidden, self.intermediate),
        }

    @property
    def parameters(self) -> int:
        return sum(rows * columns for rows, columns in self.matrices.values())


FORMAT = "1"
BLOCK_LAYERS, FULL_LAYERS = 2.0, 37.0
Weights = Mapping[str, Tensor]  # names of `ExitShape.matrices`, and "distances"


@dataclass(frozen=True)
class ExitRecord:
    """What made a file, and how good it is."""

    model: str
    command: str
    corpus: str
    trained_tokens: int  # different ones
    seen_tokens: int  # with repetition
    minutes: float
    held_out_tokens: int
    acceptance: tuple[tuple[float, ...], ...]  # per exit: share right at each distance from 1 on
    raw: tuple[float, ...] = ()  # per exit: of its layer alone, read as it is; empty: not judged
    mapped: tuple[float, ...] = ()  # and through a linear map


@dataclass(frozen=True)
class ExitFile:
    sha256: str  # of the model's weights
    shapes: tuple[ExitShape, ...]
    weights: tuple[Weights, ...]
    ids: Tensor  # (rows,) int64, ascending
    record: ExitRecord

    def best(self) -> int:
        """The exit whose held-out acceptance promises most."""

        def promised(number: int) -> float:
            return promise(self.shapes[number].after, self.record.acceptance[number])

        return max(range(len(self.shapes)), key=promised)

    def right(self) -> float:
        """The share of the best exit's first tokens that were so on held-out code."""
        return self.record.acceptance[self.best()][0]


def promise(after: int, acceptance: Sequence[float]) -> float:
    """How many times as fast as plain decoding drafts of the best length would be, from an exit
    after so many layers that is right so often at each distance. In layers of the model, a drafted
    token costs the layers before its exit and `BLOCK_LAYERS`, and a verification all of
    `FULL_LAYERS`, its head included: what was measured on the 0.5B."""
    draft, reached, tokens, most = after + BLOCK_LAYERS, 1.0, 1.0, 1.0
    for length, share in enumerate(acceptance, 1):
        reached *= share
        tokens += reached
        most = max(most, tokens * FULL_LAYERS / (length * draft + FULL_LAYERS))
    return most


def cached_path(cache: Path, sha256: str) -> Path:
    return cache / "exits" / f"{sha256[:16]}.safetensors"


def find_exits(cache: Path | None, sha256: str, config: ModelConfig) -> ExitFile | None:
    """The exits of a model: trained here, else shipped with the package, else None.

    Raises `BadExits` for a file that is there and cannot be used.
    """
    if cache is not None and (path := cached_path(cache, sha256)).exists():
        return read_exits(path, sha256, config)
    shipped = resources.files("keyturn.models.speculative.early_exit").joinpath(
        f"exits-{sha256[:16]}.safetensors"
    )
    with resources.as_file(shipped) as path:
        return read_exits(path, sha256, config) if path.exists() else None


def write_exits(path: Path, exits: ExitFile) -> None:
    """Raises `ModelError` for a full disk or a read-only folder; then `path` is as it was."""
    tensors: dict[str, Tensor] = {"ids": exits.ids.int()}
    for number, weights in enumerate(exits.weights):
        for name, tensor in weights.items():
            if name == "distances":
                tensors[f"{number}.{name}"] = tensor.float().cpu().contiguous()
                continue
            quantised = Int8Weight.quantise(tensor.cpu())
            tensors[f"{number}.{name}.values"] = quantised.values
            tensors[f"{number}.{name}.scales"] = quantised.scales
    metadata = {
        "format": FORMAT,
        "weights_sha256": exits.sha256,
        "shapes": json.dumps([asdict(shape) for shape in exits.shapes]),
        "record": json.dumps(asdict(exits.record)),
    }
    with cache_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}.partial")
        try:
            save_file(tensors, unfinished, metadata)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def read_exits(path: Path, sha256: str, config: ModelConfig) -> ExitFile:
    """Raises `BadExits` saying what is wrong: damaged, another format, another model's."""
    advice = "train it again with `keyturn exits train`, or delete it"
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise BadExits(f"cannot read the exits in {path}: {error}; {advice}") from error
    if metadata.get("format") != FORMAT:
        raise BadExits(f"{path} holds no exits that this version reads; {advice}")
    if metadata.get("weights_sha256") != sha256:
        raise BadExits(
            f"the exits in {path} were trained for weights {metadata.get('weights_sha256')!s:.16}"
            f"… and the model's are {sha256:.16}…; {advice}"
        )
    try:
        read = _parse(sha256, metadata, tensors)
        _check(read, config)
    except (KeyError, TypeError, ValueError) as error:
        raise BadExits(f"the exits in {path} are damaged ({error}); {advice}") from error
    return read


def _parse(sha256: str, metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> ExitFile:
    shapes = tuple(ExitShape(**shape) for shape in json.loads(metadata["shapes"]))
    weights: list[Weights] = []
    for number, shape in enumerate(shapes):
        own: dict[str, Tensor] = {"distances": tensors[f"{number}.distances"]}
        for name in shape.matrices:
            values, scales = (tensors[f"{number}.{name}.{kind}"] for kind in ("values", "scales"))
            own[name] = Int8Weight(values, scales).dequantise()
        weights.append(own)
    record: dict[str, Any] = json.loads(metadata["record"])
    record["acceptance"] = tuple(tuple(row) for row in record["acceptance"])
    record |= {name: tuple(record.get(name, ())) for name in ("raw", "mapped")}
    ids = tensors["ids"].long()
    return ExitFile(sha256, shapes, tuple(weights), ids, ExitRecord(**record))


def _check(exits: ExitFile, config: ModelConfig) -> None:
    """Raises `ValueError` where the file does not fit itself or the model."""
    if not exits.shapes:
        raise ValueError("it is empty")
    for shape, weights in zip(exits.shapes, exits.weights, strict=True):
        fits = replace(
            shape, hidden=config.hidden, kv_heads=config.kv_heads, head_dim=config.head_dim
        )
        inside = 0 < shape.after < config.layers and 0 <= shape.attended < config.layers
        if fits != shape or not inside or shape.heads % shape.kv_heads:
            raise ValueError("its shape is not the model's")
        expected = {**shape.matrices, "distances": (DISTANCES, shape.hidden)}
        for name, size in expected.items():
            if tuple(weights[name].shape) != size or not torch.isfinite(weights[name]).all():
                raise ValueError(f"{name} is not what its shape says")
    ids = exits.ids
    if not len(ids) or ids[0] < 0 or ids[-1] >= config.vocabulary or (ids.diff() <= 0).any():
        raise ValueError("its tokens are not the model's")
