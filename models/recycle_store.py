"""What recycled drafts are made of, kept in the cache folder: one file for each language.

The ids mean something for one vocabulary only, so the folder is named after the weights' SHA-256. A
file that cannot be read is left out: it makes drafts worse for a while, never completions.
"""

import logging
import os
import re
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .cache_folder import cache_errors
from .recycle_memory import Memory, Successors

FOLDER = "recycled"
PLAIN_NAME = re.compile(r"[^a-z0-9+#-]")

log = logging.getLogger(__name__)


class RecycleStore:
    """One model's memories on disk."""

    def __init__(self, cache: Path, sha256: str) -> None:
        self._folder = cache / FOLDER / sha256

    def load(self, language: str) -> Memory | None:
        """What was kept; None if there is nothing that can be used."""
        path = self._path(language)
        if not path.exists():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                keys, ids, chances = (kept[name] for name in ("keys", "ids", "chances"))
                return _memory(keys, ids, chances)
        except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
            log.warning("recycled drafts of %s start anew: %s: %s", language, path, error)
            return None

    def save(self, language: str, memory: Memory) -> None:
        """Replace what was kept, all or nothing. Raises `ModelError`."""
        rows = [(-1, token, found) for token, found in memory.singles.items()]
        rows += [(before, token, found) for (before, token), found in memory.pairs.items()]
        if not rows:
            return
        path = self._path(language)
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        with cache_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with unfinished.open("wb") as file:
                    np.savez(
                        file,
                        keys=np.array([row[:2] for row in rows], np.int32),
                        ids=np.array([found[0] for *_, found in rows], np.int32),
                        chances=np.array([found[1] for *_, found in rows], np.float16),
                    )
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)

    def _path(self, language: str) -> Path:
        return self._folder / f"{PLAIN_NAME.sub('_', language.lower()) or 'text'}.npz"


def _memory(
    keys: NDArray[np.int32], ids: NDArray[np.int32], chances: NDArray[np.float16]
) -> Memory:
    """Raises `ValueError` for arrays of other shapes than those that were saved."""
    if keys.shape != (len(keys), 2) or not keys.shape[0] == len(ids) == len(chances):
        raise ValueError("it does not hold what was kept")
    memory = Memory()
    listed = zip(keys.tolist(), ids.tolist(), chances.tolist(), strict=True)
    for (before, token), following, likely in listed:
        successors: Successors = (tuple(following), tuple(likely))
        if before < 0:
            memory.singles[token] = successors
        else:
            memory.pairs[before, token] = successors
    return memory
