"""A model's files from the Hugging Face hub, in its own client's session (mirrors, tokens).

The hub is asked once, with a short timeout, for the newest revision and its files; only then is
anything downloaded, so without a network this fails at once. What has come of a file is kept as
`<file>.<hash>.partial` and the next attempt asks for the rest.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import SourceFailed
from .cache_folder import require_space
from .checksums import Checksums
from .progress import Progress, Transfer
from .registry import NamedModel

TIMEOUT_SECONDS = 5
PARTIAL_CONTENT = 206
MANIFEST = "manifest.json"  # of a snapshot: written when all of it is there and verified


@dataclass(frozen=True)
class HubFile:
    """What the hub says of one file: large files by SHA-256, small ones by their git blob id."""

    repository: str
    revision: str
    name: str
    size_bytes: int
    sha256: str | None
    blob_id: str | None

    def matches(self, path: Path) -> bool:
        if self.sha256:
            return Checksums.digest(path) == self.sha256
        data = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
        return blob.hexdigest() == self.blob_id


def fetch_file(model: NamedModel, target: Path, progress: Progress) -> Path:
    """Fetch one pinned file; returns it unverified. Raises `SourceFailed`."""
    files = {file.name: file for file in _ask(model.repository)}
    file = files.get(model.filename)
    if file is None or file.sha256 != model.sha256:
        raise SourceFailed(f"{model.repository} no longer has the pinned {model.filename}")
    require_space(target.parent, file.size_bytes, model.name)
    with progress.transfer(f"fetching {model.name}", file.size_bytes) as transfer:
        return _download(file, target.parent, transfer)


def fetch_snapshot(repository: str, folder: Path, checksums: Checksums, progress: Progress) -> str:
    """Fetch what a checkpoint needs into `folder`; returns `Checksums.folder_sha256` of it."""
    files = [file for file in _ask(repository) if _wanted(file.name)]
    lacking = {"config.json", "tokenizer.json"} - {file.name for file in files}
    if lacking or not any(file.name.endswith(".safetensors") for file in files):
        lacks = ", ".join(sorted(lacking)) or "*.safetensors"
        raise SourceFailed(f"{repository} has no {lacks}, which keyturn needs")
    missing = [file for file in files if not _have(folder / file.name, file)]
    total_bytes = sum(file.size_bytes for file in missing)
    require_space(folder, total_bytes, repository)
    with progress.transfer(f"fetching {repository}", total_bytes) as transfer:
        for file in missing:
            fetched = _download(file, folder, transfer)
            if not file.matches(fetched):
                fetched.unlink()
                raise SourceFailed(f"{file.name} of {repository} came damaged; it was deleted")
            fetched.replace(folder / file.name)
    digests = {file.name: checksums.sha256(folder / file.name) for file in files}
    manifest = {"repository": repository, "revision": files[0].revision, "sha256": digests}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    for outdated in folder.glob("*.partial"):
        outdated.unlink()
    return checksums.folder_sha256(folder)


def open_snapshot(folder: Path, checksums: Checksums) -> str | None:
    """`Checksums.folder_sha256` of a snapshot that is whole and unchanged, else None."""
    try:
        digests = json.loads((folder / MANIFEST).read_text())["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    whole = all(
        (folder / name).is_file() and checksums.sha256(folder / name) == digest
        for name, digest in digests.items()
    )
    return checksums.folder_sha256(folder) if whole else None


def _wanted(name: str) -> bool:
    if name.endswith(".safetensors"):  # consolidated.* holds the same weights once more
        return "/" not in name and not name.startswith("consolidated")
    return name in ("config.json", "tokenizer.json")


def _have(path: Path, file: HubFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size_bytes and file.matches(path)


def _ask(repository: str) -> list[HubFile]:
    from huggingface_hub import HfApi

    try:
        info = HfApi().model_info(repository, files_metadata=True, timeout=TIMEOUT_SECONDS)
    except Exception as error:  # the client lets its HTTP library's own exceptions through
        raise SourceFailed(_line(error)) from error
    return [
        HubFile(
            repository,
            info.sha or "main",
            sibling.rfilename,
            sibling.size or 0,
            sibling.lfs.sha256 if sibling.lfs else None,
            sibling.blob_id,
        )
        for sibling in info.siblings or []
    ]


def _download(file: HubFile, folder: Path, transfer: Transfer) -> Path:
    """Fetch one file, or the rest of it, for as long as every attempt brings something."""
    partial = folder / f"{file.name}.{(file.sha256 or file.blob_id or '')[:16]}.partial"
    partial.touch()
    before_bytes, size = transfer.done_bytes, partial.stat().st_size
    while size < file.size_bytes:
        attempt_from = size
        with partial.open("r+b") as target:
            try:
                for start, chunk in _chunks(file, attempt_from):
                    target.seek(start)
                    target.write(chunk)
                    size = start + len(chunk)
                    transfer.to(before_bytes + size)
            except SourceFailed:
                if size <= attempt_from:
                    raise
    transfer.to(before_bytes + file.size_bytes)
    return partial


def _chunks(file: HubFile, start: int) -> Iterator[tuple[int, bytes]]:
    """What the hub sends, from byte `start` on if it can: (position, bytes)."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = hf_hub_url(file.repository, file.name, revision=file.revision)
    headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={start}-"}
    try:
        with get_session().stream(
            "GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT_SECONDS
        ) as response:
            hf_raise_for_status(response)
            position = start if response.status_code == PARTIAL_CONTENT else 0
            for chunk in response.iter_raw():
                yield position, chunk
                position += len(chunk)
    except Exception as error:  # as in `_ask`
        raise SourceFailed(f"{file.name}: {_line(error)}") from error
    if position < file.size_bytes:
        raise SourceFailed(f"{file.name}: the hub sent {position} of {file.size_bytes} bytes")


def _line(error: Exception) -> str:
    """The first line of a client's error, which may run to several."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
