"""What was encoded of projects' definitions and is kept on disk, in a file for each model."""

from collections.abc import Iterator
from pathlib import Path

from .place import CHUNKS


def forget_encoded(cache: Path, root: Path | None) -> Iterator[tuple[Path, int]]:
    """Remove what belongs to the project in `root`, whether it has an index or none; None: all
    there is. The files that something was in, and how many chunks that was."""
    for path in sorted((cache / CHUNKS).glob("*.sqlite3")):
        from ...cache.chunks.spill import DiskChunks  # loads torch, which few who forget need

        chunks = DiskChunks(path, most_bytes=0)
        if count := chunks.forget(None if root is None else str(root)):
            yield path, count
        chunks.close()
