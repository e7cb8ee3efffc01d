"""A file as this machine has it, and how much of that the server is known to have."""

import asyncio
from collections.abc import Sequence

from ...lsp.backend import TextEdit
from .messages import Changed, FileState, Step, Whole, digest_of

MOST_EDITS = 500  # since what the server knows; then the whole text is shorter


class RemoteFile:
    """Owned by the thread that talks to the server."""

    def __init__(self, name: str, language: str, text: str) -> None:
        self.name = name
        self.language = language
        self.text = text
        self.revision = 1
        self.introducing = asyncio.Lock()  # so that one replica gets to know it, and not two
        self.is_known = False  # by the server, from revision `_base` on
        self._base: int | None = None
        self._steps: list[Step] = []  # since then

    def edited(self, edits: Sequence[TextEdit], text: str) -> None:
        """`edits`, in their order, have made it `text`."""
        self.revision += 1
        self.text = text
        if self._base is not None:
            self._steps.append(Step(self.revision, tuple(edits)))
            if sum(len(step.edits) for step in self._steps) > MOST_EDITS:
                self.forgotten()

    def replaced(self, language: str, text: str) -> None:
        """It is `text` now, whatever was done to it."""
        if (language, text) != (self.language, self.text):
            self.language, self.text = language, text
            self.revision += 1
            self.forgotten()

    def state(self) -> FileState:
        """As the server is to be told now: what it lacks, or all of it."""
        if self.is_known and self._base is not None:
            change: Whole | Changed = Changed(self._base, tuple(self._steps))
        else:
            change = Whole(self.text)
            self._base = self.revision
            self._steps.clear()
        return FileState(self.name, self.language, self.revision, digest_of(self.text), change)

    def confirmed(self, revision: int) -> None:
        """The server has it as it was at `revision`."""
        if self._base is not None and revision >= self._base:
            self.is_known = True
            self._base = revision
            self._steps = [step for step in self._steps if step.revision > revision]

    def forgotten(self) -> None:
        """The server does not have it, as far as is known."""
        self.is_known = False
        self._base = None
        self._steps.clear()
