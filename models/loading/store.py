"""The store of converted models: what a source becomes once, to be memory-mapped ever after.

    <cache>/forms/<source sha-256, 16 digits>-<form>-v<FORMAT>/
        weights.safetensors  vocabulary.json  entry.json  sealed.json

An entry is written beside its place and renamed into it when complete; one that is missing a part,
has another format or is not what was written is not used: the caller writes it anew, in its place.
The small files are compared with their SHA-256 (sealed.json) at every load, the weights only when
their size or their time has changed since they were. A lock file per entry keeps two processes from
doing the same work.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import AcquireReturnProxy, FileLock
from safetensors import SafetensorError, safe_open

from ..errors import ModelError
from ..hub.cache_folder import cache_errors
from ..hub.checksums import Checksums
from ..tokenizer.vocabulary import Vocabulary

if TYPE_CHECKING:  # so that listing entries loads no torch
    from torch import Tensor

    from .tensor_file import MappedTensors

WEIGHTS, SEAL = "weights.safetensors", "sealed.json"
SEALED = ("entry.json", "vocabulary.json")
FORMAT = 2  # raise it when what is stored under the same names changes its meaning


@dataclass(frozen=True)
class StoreKey:
    source_sha256: str
    form: str

    def __str__(self) -> str:
        return f"{self.source_sha256[:16]}-{self.form}-v{FORMAT}"


@dataclass(frozen=True)
class EntryInfo:
    """entry.json. `weights_sha256` is of the whole file, for `Entry.damaged`."""

    name: str  # of the model when it was converted
    source_sha256: str
    form: str
    config: dict[str, Any]
    weights_bytes: int
    weights_sha256: str
    format: int = FORMAT


@dataclass(frozen=True)
class Entry:
    folder: Path
    info: EntryInfo

    def tensors(self, device: str = "cpu") -> "MappedTensors":
        from .tensor_file import MappedTensors

        return MappedTensors(self.folder / WEIGHTS, device)

    def vocabulary(self) -> Vocabulary:
        return Vocabulary.load(self.folder / "vocabulary.json")

    def damaged(self) -> bool:
        """Whether the weights differ from what was written; reads all of them."""
        with (self.folder / WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() != self.info.weights_sha256


class Store:
    """All converted models under one cache folder."""

    def __init__(self, cache: Path):
        self.root = cache / "forms"
        self._checksums = Checksums(cache)

    def lock(self, key: StoreKey) -> AcquireReturnProxy:
        """`with` this, be alone in writing an entry. Raises `ModelError` in a read-only cache."""
        with cache_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            return FileLock(self.root / f"{key}.lock").acquire()

    def open(self, key: StoreKey) -> Entry | None:
        """The entry if it is there and whole."""
        entry = _read(self.root / str(key))
        if entry is None or entry.info.source_sha256 != key.source_sha256:
            return None
        return entry if self._sound(entry) else None

    def _sound(self, entry: Entry) -> bool:
        """Whether the weights are what was written."""
        path = entry.folder / WEIGHTS
        try:
            found = self._checksums.sha256(path)
        except ModelError:  # what was found cannot be remembered: the cache is read-only
            found = self._checksums.digest(path)
        return found == entry.info.weights_sha256

    def write(
        self,
        key: StoreKey,
        name: str,
        tensors: Iterable[tuple[str, "Tensor"]],
        config: Mapping[str, Any],
        vocabulary: Vocabulary,
    ) -> Entry:
        """Write an entry, tensor by tensor as they come. Raises `ModelError` for a full disk."""
        from .tensor_file import write_tensors

        folder, unfinished = self.root / str(key), self.root / f"partial-{key}"
        with cache_errors(self.root):
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
            try:
                size, digest = write_tensors(unfinished / WEIGHTS, tensors)
                vocabulary.save(unfinished / "vocabulary.json")
                info = EntryInfo(name, key.source_sha256, key.form, dict(config), size, digest)
                (unfinished / "entry.json").write_text(json.dumps(asdict(info), indent=1))
                (unfinished / SEAL).write_text(json.dumps(_seal(unfinished), indent=1))
                for former in self.root.glob(f"{str(key).rpartition('-v')[0]}-v*/"):
                    shutil.rmtree(former)  # damaged, or of an earlier format
                unfinished.rename(folder)
                self._checksums.remember(folder / WEIGHTS, digest)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
        return Entry(folder, info)

    def entries(self) -> list[Entry]:
        """Every whole entry."""
        entries = [_read(folder) for folder in sorted(self.root.glob("*-v*/"))]
        return [entry for entry in entries if entry and self._sound(entry)]


def _read(folder: Path) -> Entry | None:
    """The entry in `folder`, or None when it is not one, is not whole or is of another format."""
    try:
        if json.loads((folder / SEAL).read_text(encoding="utf-8")) != _seal(folder):
            return None
        info = EntryInfo(**json.loads((folder / "entry.json").read_text(encoding="utf-8")))
        entry = Entry(folder, info)
        whole = (folder / WEIGHTS).stat().st_size == info.weights_bytes
        whole &= folder.name == str(StoreKey(info.source_sha256, info.form))
        whole &= info.format == FORMAT and (folder / "vocabulary.json").is_file()
        if whole:
            safe_open(folder / WEIGHTS, framework="numpy")  # checks the header
    except (OSError, ValueError, TypeError, RecursionError, SafetensorError):
        return None
    return entry if whole else None


def _seal(folder: Path) -> dict[str, str]:
    """The SHA-256 of the small files that decide what the weights mean."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SEALED}
