"""The store of recycled tokens in the cache folder: one file for each language.

The ids mean something for one vocabulary only, so the folder is named after the weights' SHA-256. A
file that cannot be used is left out: it makes drafts worse for a while, never completions. Pairs of
tokens tell something of the code that they are from, so the files are for their owner only.

`RecycledTokens` holds after which tokens the model found which others likely.
"""

import logging
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..hub.cache_folder import cache_errors

PAIR_TRUST, SINGLE_TRUST = 0.75, 0.45  # of a remembered probability; the controller knows better
MOST_PAIRS = 50_000  # of tokens; the oldest are forgotten

Successors = tuple[tuple[int, ...], tuple[float, ...]]  # ids and probabilities, best first


@dataclass
class RecycledTokens:
    """What followed, in one language."""

    singles: dict[int, Successors] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Successors] = field(default_factory=dict)
    news: int = 0  # learnt since it was last kept

    def learn(self, before: int | None, token: int, successors: Successors) -> None:
        self.news += 1
        self.singles[token] = successors
        if before is not None:
            self.pairs.pop((before, token), None)  # the newest last
            self.pairs[before, token] = successors
            if len(self.pairs) > MOST_PAIRS:
                del self.pairs[next(iter(self.pairs))]

    def after(self, before: int | None, token: int) -> tuple[Successors, float] | None:
        """Successors, and how far they are to be trusted."""
        if before is not None and (found := self.pairs.get((before, token))):
            return found, PAIR_TRUST
        found = self.singles.get(token)
        return found and (found, SINGLE_TRUST)


FOLDER = "recycled"
PLAIN_NAME = re.compile(r"[^a-z0-9+#-]")
MOST_BYTES = 64 * 1024 * 1024  # a full memory takes a tenth of it
ROUNDING = 0.01  # of probabilities

logger = logging.getLogger(__name__)


class RecycleStore:
    """The memories of one model, of so large a `vocabulary`, on disk."""

    def __init__(self, cache: Path, sha256: str, vocabulary: int) -> None:
        self._folder = cache / FOLDER / sha256
        self._vocabulary = vocabulary

    def load(self, language: str) -> RecycledTokens | None:
        """What was kept; None if there is nothing that can be used."""
        path = self._path(language)
        try:
            kept = load(_owned(path))
            return self._memory(*(kept[name] for name in ("keys", "ids", "chances")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            logger.warning("recycled drafts of %s start anew: %s: %s", language, path, error)
            return None

    def save(self, language: str, memory: RecycledTokens) -> None:
        """Replace what was kept, all or nothing. Raises `ModelError`."""
        rows = [(-1, token, found) for token, found in memory.singles.items()]
        rows += [(before, token, found) for (before, token), found in memory.pairs.items()]
        if not rows:
            return
        data = save(
            {
                "keys": np.array([row[:2] for row in rows], np.int32),
                "ids": np.array([found[0] for *_, found in rows], np.int32),
                "chances": np.array([found[1] for *_, found in rows], np.float16),
            }
        )
        path = self._path(language)
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        with cache_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
                    file.write(data)
                unfinished.replace(path)
            finally:
                unfinished.unlink(missing_ok=True)

    def _path(self, language: str) -> Path:
        return self._folder / f"{PLAIN_NAME.sub('_', language.lower()) or 'text'}.safetensors"

    def _memory(
        self, keys: NDArray[np.int32], ids: NDArray[np.int32], chances: NDArray[np.float16]
    ) -> RecycledTokens:
        """Raises `ValueError` for what was not saved here: other shapes, tokens that the model
        has not, chances that are none."""
        shaped = keys.ndim == ids.ndim == 2 and keys.shape[1] == 2 and ids.shape == chances.shape
        if not shaped or len(keys) != len(ids) or not ids.shape[1]:
            raise ValueError("it does not hold what was kept")
        least, most = min(keys.min(), ids.min() - 1), max(keys.max(), ids.max())
        if least < -1 or keys[:, 1].min() < 0 or most >= self._vocabulary:
            raise ValueError("its tokens are not the model's")
        if not ((chances >= 0) & (chances <= 1 + ROUNDING)).all():
            raise ValueError("its chances are none")
        memory = RecycledTokens()
        listed = zip(keys.tolist(), ids.tolist(), chances.tolist(), strict=True)
        for (before, token), following, likely in listed:
            successors: Successors = (tuple(following), tuple(likely))
            if before < 0:
                memory.singles[token] = successors
            else:
                memory.pairs[before, token] = successors
        return memory


def _owned(path: Path) -> bytes:
    """All of a regular file of ours. Raises `OSError`, `ValueError`."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_BYTES:
        raise ValueError("it is no file of ours, or too large for one")
    if found.st_uid != os.getuid():
        raise ValueError("it belongs to another user")
    return path.read_bytes()
