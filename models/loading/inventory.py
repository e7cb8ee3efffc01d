"""The inventory of the cache folder: fetched files and converted forms, by model; and removing
them.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import ModelError
from ..hub.cache_folder import cache_errors
from ..hub.download import files_folder, present
from ..hub.registry import MODELS, HubModel, LocalModel, Model, NamedModel, find
from .store import Entry, Store


@dataclass(frozen=True)
class Holding:
    """One model: where its files are (None: not fetched), and the forms made of them."""

    name: str
    path: Path | None
    files_bytes: int  # on disk; of a model that is not here, what it would take (0: unknown)
    forms: dict[str, int]  # form -> bytes


@dataclass(frozen=True)
class Removed:
    path: Path
    freed_bytes: int


def inventory(cache: Path) -> list[Holding]:
    """Every model known by name, then every other that the cache holds something of."""
    entries = Store(cache).entries()
    names = [model.name for model in MODELS]
    folders = (path for path in sorted((cache / "files").glob("*/")) if _bytes_under(path))
    fetched = (path.name.replace("--", "/", 1) for path in folders)
    for name in [*fetched, *(entry.info.name for entry in entries)]:
        if name not in names:
            names.append(name)
    return [_holding(name, cache, entries) for name in names]


def holding(name: str, cache: Path) -> Holding:
    """What the cache holds of one model. Raises `ModelError` for a name that means nothing."""
    return _holding(find(name).name, cache, Store(cache).entries())


def remove(name: str, cache: Path) -> list[Removed]:
    """Delete a model's fetched files and converted forms; a local model's own files stay."""
    try:
        model = find(name)
    except ModelError:
        model = LocalModel(name, Path(name))  # perhaps a file that is gone, but its forms are not
        if not _forms(name, Store(cache).entries()):
            raise
    folders = [entry.folder for entry in _forms(model.name, Store(cache).entries())]
    if not isinstance(model, LocalModel) and files_folder(model, cache).exists():
        folders.insert(0, files_folder(model, cache))
    removed = []
    for folder in folders:
        removed.append(Removed(folder, _bytes_under(folder)))
        with cache_errors(folder):
            shutil.rmtree(folder)
    return removed


def _holding(name: str, cache: Path, entries: list[Entry]) -> Holding:
    try:
        model = find(name)
        files = present(model, cache)
    except ModelError:  # a local file that is gone or unreadable
        return Holding(name, None, 0, _sizes(name, entries))
    size = _bytes_under(files.path) if files else _expected_bytes(model)
    return Holding(name, files.path if files else None, size, _sizes(name, entries))


def _expected_bytes(model: Model) -> int:
    match model:
        case NamedModel(size_bytes=size):
            return size
        case HubModel() | LocalModel():
            return 0


def _forms(name: str, entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.info.name == name]


def _sizes(name: str, entries: list[Entry]) -> dict[str, int]:
    return {entry.info.form: entry.info.weights_bytes for entry in _forms(name, entries)}


def _bytes_under(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
