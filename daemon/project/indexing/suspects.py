"""Files that may have ended the process while it read them: grammars have code in C.

The name of the file that is being read is kept on disk beside the index. If the process dies of it,
the next one finds the name; a file that it finds twice is left unread until it changes.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..place import Place
from .writer import IndexWriter, Stamp

CHANCES = 2
LONGEST = 8_192  # bytes


class Suspects:
    """Those of one index."""

    def __init__(self, place: Place) -> None:
        self._path = place.folder / "reading"
        self._descriptor = -1
        self._writer: IndexWriter | None = None
        self._deaths: dict[str, list[int]] = {}  # by path: how often, and the size of the file

    def open(self, writer: IndexWriter) -> None:
        """Note what was being read when the last process died."""
        self.close()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        self._deaths = _decoded(writer.noted("deaths"))
        left = _decoded(os.pread(self._descriptor, LONGEST, 0).decode("utf-8", "replace"))
        for name, found in left.items():
            count = self._deaths.get(name, [0, 0])[0]
            self._deaths[name] = [count + 1, *found[1:]]
            writer.note(deaths=json.dumps(self._deaths))
            writer.commit()

    @contextmanager
    def reading(self, name: str, stamp: Stamp) -> Iterator[bool]:
        """Whether a file may be read; it is, in the block."""
        death = self._deaths.get(name)
        if death is not None and death[0] >= CHANCES and death[1:] == [stamp.mtime_ns]:
            yield False
            return
        self._keep(json.dumps({name: [1, stamp.mtime_ns]}))
        try:
            yield True
        finally:
            self._keep("")

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _keep(self, text: str) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, text.encode(), 0)


def _decoded(text: object) -> dict[str, list[int]]:
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(name): value for name, value in found.items() if isinstance(value, list)}
