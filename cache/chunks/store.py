"""The store of chunks: texts encoded once behind a sink, for all files that show them behind it.

Those used longest ago give way: what was kept on disk is found there again, and anything else has
to be encoded again.
"""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Protocol

from ..quantised import QuantisedRows


class ChunkSpill(Protocol):
    """A slower and larger place, which outlives the process."""

    def store(self, key: bytes, rows: QuantisedRows, owner: str) -> None: ...

    def restore(self, key: bytes) -> QuantisedRows | None:
        """None if there is nothing sound."""
        ...


class ChunkStore:
    """Owns at most `most_bytes` of keys and values, by the tokens that they are of."""

    def __init__(self, most_bytes: int, spill: ChunkSpill | None = None):
        self.most_bytes = most_bytes
        self._spill = spill
        self._rows: OrderedDict[bytes, QuantisedRows] = OrderedDict()
        self.used_bytes = 0
        self.encoded = 0  # chunks put in so far

    def __len__(self) -> int:
        """The number of chunks in memory."""
        return len(self._rows)

    def get(self, sink: Sequence[int], tokens: Sequence[int]) -> QuantisedRows | None:
        """The chunk `tokens` as encoded behind `sink`, if it was kept."""
        key = _key(sink, tokens)
        if key in self._rows:
            self._rows.move_to_end(key)
            return self._rows[key]
        rows = self._spill.restore(key) if self._spill is not None else None
        if rows is not None:
            self._keep(key, rows)
        return rows

    def put(
        self, sink: Sequence[int], tokens: Sequence[int], rows: QuantisedRows, owner: str = ""
    ) -> None:
        """Keep it. `owner`: whose text it is, so that all of it can be forgotten together."""
        assert len(tokens) == len(rows), (len(tokens), len(rows))
        key = _key(sink, tokens)
        self.encoded += 1
        self._keep(key, rows)
        if self._spill is not None:
            self._spill.store(key, rows, owner)

    def keep_only(self, chunks: Iterable[tuple[Sequence[int], Sequence[int]]]) -> None:
        """Forget what is in memory, but for these sinks and tokens."""
        kept = {_key(sink, tokens) for sink, tokens in chunks}
        self._rows = OrderedDict((key, rows) for key, rows in self._rows.items() if key in kept)
        self.used_bytes = sum(rows.nbytes for rows in self._rows.values())

    def clear(self) -> None:
        """Forget what is in memory."""
        self._rows.clear()
        self.used_bytes = 0

    def _keep(self, key: bytes, rows: QuantisedRows) -> None:
        if known := self._rows.pop(key, None):
            self.used_bytes -= known.nbytes
        self._rows[key] = rows
        self.used_bytes += rows.nbytes
        while self.used_bytes > self.most_bytes and len(self._rows) > 1:
            _, oldest = self._rows.popitem(last=False)
            self.used_bytes -= oldest.nbytes


def _key(sink: Sequence[int], tokens: Sequence[int]) -> bytes:
    return hashlib.sha256(array("q", (len(sink), *sink, *tokens)).tobytes()).digest()
