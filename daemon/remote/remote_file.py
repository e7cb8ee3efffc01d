"""A file as this machine has it, and how much of that the server is known to have."""

import asyncio
from collections.abc import Sequence

from ...api.chunk import Chunk
from ...lsp.backend import TextEdit
from .messages import Changed, FileState, Step, Surroundings, Whole, chunks_digest, digest_of

MOST_EDITS = 500  # since what the server knows; then the whole text is shorter
MOST_TRIES = 3  # to tell a server of the same chunks


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
        self._chunks: tuple[Chunk, ...] = ()  # that it is to be shown of its project
        self._digest = ""  # of these
        self._shown = ""  # the digest of those that the server has
        self._tries = 0
        self._is_revoked = False  # some of what the server may have is not to be shown any more

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
        digest = digest_of(self.text)
        shown = "" if self._is_revoked else self._digest
        return FileState(self.name, self.language, self.revision, digest, change, shown)

    def surrounded(self, chunks: tuple[Chunk, ...]) -> None:
        """It is to be shown these. None at all: what it was shown is taken back, with the next word
        about the file, until the server says that it has what comes after."""
        self._is_revoked |= not chunks and bool(self._digest)
        if chunks != self._chunks:
            self._chunks, self._digest, self._tries = chunks, chunks_digest(chunks), 0

    @property
    def lacks_chunks(self) -> bool:
        """Whether the server is to be told of others than it has."""
        return self._digest != self._shown and self._tries < MOST_TRIES

    def surroundings(self) -> Surroundings:
        """As the server is to be told now."""
        return Surroundings(self._chunks)

    def tried(self) -> None:
        """The server was told, whatever it made of that."""
        self._tries += 1

    def shows(self, digest: str) -> None:
        """The server says which chunks it has."""
        if digest != self._shown:
            self._shown, self._tries = digest, 0
        if digest == self._digest:
            self._is_revoked = False

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
