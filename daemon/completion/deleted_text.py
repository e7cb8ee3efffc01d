"""Text that was lately deleted from a file, as a source of drafts: what is moved or restored is
written again."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

LEAST_CHARACTERS = 12  # fewer are not worth a look-up
MOST_CHARACTERS = 20_000  # of one deletion: its end is forgotten
MOST_SCRAPS = 16


class Encoder(Protocol):
    def encode(self, text: str) -> list[int]: ...


@dataclass(slots=True)
class Scrap:
    """One deletion, which may go on: backspace by backspace, or at the same place."""

    start: int
    text: str
    ids: list[int] | None = None


@dataclass(slots=True)
class Scraps:
    """Owns one file's, the latest last."""

    _kept: deque[Scrap] = field(default_factory=lambda: deque(maxlen=MOST_SCRAPS))

    def saw(self, start: int, old: str, new: str) -> None:
        """An edit put `new` for `old` at character `start`."""
        if not old:
            return
        last = self._kept[-1] if self._kept else None
        if last is not None and not new and start + len(old) == last.start:
            last.start, last.text, last.ids = start, old + last.text, None
        elif last is not None and not new and start == last.start:
            last.text, last.ids = last.text + old, None
        else:
            if last is not None and len(last.text) < LEAST_CHARACTERS:
                self._kept.pop()
            self._kept.append(Scrap(start, old))
        last = self._kept[-1]
        last.text = last.text[:MOST_CHARACTERS]

    def tokens(self, encoder: Encoder) -> Sequence[Sequence[int]]:
        """Each deletion's, the latest last."""
        found: list[list[int]] = []
        for scrap in self._kept:
            if len(scrap.text) >= LEAST_CHARACTERS:
                if scrap.ids is None:
                    scrap.ids = encoder.encode(scrap.text)
                found.append(scrap.ids)
        return found
