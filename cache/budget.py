"""The memory budget of one model: a fixed number of bytes for the keys and values of all files.

The file used longest ago gives way first: its keys and values go to the spill, if there is one,
and are otherwise forgotten. Its tokens are encoded again when it is next asked for.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

from .errors import OverBudget
from .sequence import CachedSequence


class Spill(Protocol):
    """A slower place for what gave way."""

    def store(self, key: Hashable, sequence: CachedSequence) -> None: ...

    def restore(self, key: Hashable, sequence: CachedSequence) -> bool:
        """Put what was stored into an empty `sequence`; False if there is nothing sound."""
        ...

    def forget(self, key: Hashable) -> None: ...


class Budget:
    """Owns the order in which files were used, and who may have how many rows."""

    def __init__(self, most_bytes: int, spill: Spill | None = None):
        self.most_bytes = most_bytes
        self._spill = spill
        self._sequences: OrderedDict[Hashable, CachedSequence] = OrderedDict()
        self.evicted = 0  # files that gave way so far

    @property
    def used_bytes(self) -> int:
        return sum(sequence.arena.nbytes for sequence in self._sequences.values())

    def __contains__(self, key: Hashable) -> bool:
        """Whether anything of the file may still be here, or in the spill."""
        return key in self._sequences or self._spill is not None

    def use(self, key: Hashable, sequence: CachedSequence, tokens: int) -> None:
        """Make room for `tokens` in this file's sequence, before they are planned or encoded.

        Other files give way for it, those used longest ago first. Raises `OverBudget` if it does
        not fit even alone; then nothing has given way.
        """
        per_token = sequence.arena.bytes_per_row
        if tokens * per_token > self.most_bytes:
            raise OverBudget(
                f"a window of {tokens:,} tokens needs {tokens * per_token / 2**20:.1f} MiB for its"
                f" keys and values, and the cache may have {self.most_bytes / 2**20:.1f} MiB: raise"
                " model.cache_mib, or lower model.context_tokens or model.project_tokens"
            )
        self._sequences[key] = sequence
        self._sequences.move_to_end(key)
        wanted = max(tokens * per_token, sequence.arena.nbytes)
        while (others := self.used_bytes - sequence.arena.nbytes) + wanted > self.most_bytes:
            oldest = next(iter(self._sequences))
            if oldest == key:  # alone: give back what was grown beyond what is needed
                sequence.shrink(tokens)
                break
            self._evict(oldest)
        sequence.most_rows = max(tokens, (self.most_bytes - others) // per_token)
        if self._spill is not None and not sequence.tokens:
            self._spill.restore(key, sequence)

    def confine(self, key: Hashable) -> bool:
        """Keep what is added to a file in idle time to what all others leave free now; False if it
        has given way: then nothing is to be added."""
        sequence = self._sequences.get(key)
        if sequence is None:
            return False
        arena = sequence.arena
        free = self.most_bytes - self.used_bytes
        sequence.most_rows = arena.rows + max(0, free) // arena.bytes_per_row
        return True

    def forget(self, key: Hashable) -> None:
        """The file was closed: nothing of it is worth keeping."""
        sequence = self._sequences.pop(key, None)
        if sequence is not None:
            sequence.clear()
        if self._spill is not None:
            self._spill.forget(key)

    def _evict(self, key: Hashable) -> None:
        sequence = self._sequences.pop(key)
        if self._spill is not None and sequence.tokens:
            self._spill.store(key, sequence)
        sequence.clear()
        self.evicted += 1
