"""SHA-256 of large files, remembered for as long as their size and modification time stay."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import ModelError
from .cache_folder import cache_errors


@dataclass(frozen=True)
class Record:
    path: str
    size_bytes: int
    modified_ns: int
    sha256: str


class Checksums:
    """Owns `<cache>/checksums`, one small record per file ever hashed."""

    def __init__(self, cache: Path):
        self.root = cache / "checksums"

    def sha256(self, path: Path) -> str:
        """Of one file; read whole only when no record fits. `ModelError` when unreadable."""
        path = path.resolve()
        try:
            now = path.stat()
            known = _read(self._record_path(path))
            if known and (str(path), now.st_size, now.st_mtime_ns) == (
                known.path, known.size_bytes, known.modified_ns,
            ):  # fmt: skip
                return known.sha256
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error
        digest = self.digest(path)
        self.remember(path, digest)
        return digest

    def remember(self, path: Path, digest: str) -> None:
        """Note the SHA-256 of a file just read or verified."""
        path = path.resolve()
        now = path.stat()
        record = Record(str(path), now.st_size, now.st_mtime_ns, digest)
        with cache_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            unfinished = self._record_path(path).with_suffix(f".{os.getpid()}")
            unfinished.write_text(json.dumps(asdict(record)))
            unfinished.replace(self._record_path(path))

    @staticmethod
    def digest(path: Path) -> str:
        """Read the whole file. `ModelError` when unreadable."""
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from error

    def _record_path(self, path: Path) -> Path:
        return self.root / f"{hashlib.sha256(str(path).encode()).hexdigest()[:32]}.json"

    def folder_sha256(self, folder: Path) -> str:
        """Of everything in a checkpoint folder that decides what the model says."""
        parts = [folder / "config.json", folder / "tokenizer.json"]
        parts += sorted(folder.glob("*.safetensors"))
        listing = "".join(f"{self.sha256(part)}  {part.name}\n" for part in parts)
        return hashlib.sha256(listing.encode()).hexdigest()


def _read(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
