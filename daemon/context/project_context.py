"""What every open file is shown of its project: encoded and bound while nobody types.

No completion waits for any of it. Which chunks are bound changes only when that pays, because the
file's own tokens have to be encoded again to see them.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ...api.chunk import Chunk
from ...cache.chunks.store import ChunkStore
from ...cache.errors import CacheError
from ..completion.bound_chunks import BoundChunk
from ..completion.chunk_encoder import ChunkEncoder
from ..completion.file_session import FileSession
from ..server.engine import File
from ..server.jobs import FileKey
from .choice import Choice, NeededElsewhere, Sight
from .followed import Followed
from .wanted import Wanted, pays

logger = logging.getLogger(__name__)


class Encoder(Protocol):
    """What is asked of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...


class ProjectContext:
    """Owns the chunks of all files' projects. Of one engine, in its thread."""

    def __init__(
        self,
        choice: Choice,
        encoder: ChunkEncoder,
        tokenizer: Encoder,
        store: ChunkStore,
        most_tokens: int,
        is_lent: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`most_tokens`: of the chunks that one file is shown. `is_lent`: the choice is somebody
        else's, too, who closes it."""
        self._choice = choice
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._store = store
        self._most_tokens = most_tokens
        self._is_lent = is_lent
        self._clock = clock
        self._files: dict[FileKey, Followed] = {}

    def stir(self) -> None:
        """Somebody is typing: whoever reads files for this makes room."""
        self._choice.busy()

    def greet(self, file: File, session: FileSession) -> None:
        """Before a completion: give a file's new session what was prepared for it, and take away
        what may no longer be shown."""
        followed = self._followed(file)
        self._obey(followed, file, session)
        if followed.ready and not session.chunks.shown:
            self._bind(followed, session, followed.ready)
            followed.ready = ()
        use = followed.use if followed.is_placed else replace(followed.use, settled=False)
        session.project = use if followed.rules is not None else None

    def follow(
        self,
        file: File,
        session: FileSession | None,
        opened: Collection[File],
        interrupted: Callable[[], bool],
    ) -> bool:
        """Choose, encode and bind what `file` should show, as far as it gets until `interrupted()`.
        `opened`: all open files of its window, the one used last last. Whether to look again before
        long: files change on disk without a key."""
        self._choice.idle()
        followed = self._followed(file)
        self._obey(followed, file, session)
        followed.looks += 1
        try:
            offer = self._choice.offer(file, _sight(followed, session), opened, interrupted)
        except NeededElsewhere:
            return True
        if self._choice.is_forgotten():
            self._store.clear()
        if offer is None:
            followed.wanted = followed.offered = ()
            self._put(followed, session, ())
            self._note(followed, session, settled=followed.looks > 1)  # once it may only be new
            return self._choice.expects(file)
        if offer.chunks is not followed.offered:
            followed.offered = offer.chunks
            followed.wanted = tuple(self._fitting(offer.chunks))
            followed.is_placed = session is not None
        bound = followed.ready if session is None else session.chunks.shown
        if pays(bound, followed.wanted, followed.offered):
            chunks = self._encoded(followed.wanted, offer.owner, interrupted)
            if chunks is None:
                missing = self._missing(followed.wanted)
                self._note(followed, session, settled=False, missing=missing)
                return True
            self._put(followed, session, chunks)
        self._note(followed, session, settled=not offer.is_growing)
        return self._choice.expects(file)

    def forget(self, key: FileKey) -> None:
        """A file was closed. What its owner does not want kept goes with the last file that is to
        show it."""
        self._files.pop(key, None)
        self._choice.forget(key)
        if not self._choice.is_kept:
            files = self._files.values()
            self._store.keep_only(
                (behind, each.tokens) for file in files for behind, each in self._line(file.wanted)
            )

    def status(self) -> dict[str, Any]:
        return {
            **self._choice.status(),
            "chunks": len(self._store),
            "chunk_bytes": self._store.used_bytes,
            "chunks_encoded": self._store.encoded,
        }

    def close(self) -> None:
        if not self._is_lent:
            self._choice.close()

    def _followed(self, file: File) -> Followed:
        if file.key not in self._files:
            self._files[file.key] = Followed()
        return self._files[file.key]

    def _obey(self, followed: Followed, file: File, session: FileSession | None) -> None:
        """Take away what was prepared or bound and may no longer be shown."""
        rules = self._choice.rules(file)
        if rules == followed.rules:
            return
        followed.rules = rules
        followed.ready = followed.allowed(followed.ready)
        if session is not None:
            shown = session.chunks.shown
            if len(allowed := followed.allowed(shown)) < len(shown):
                self._bind(followed, session, allowed)
            if rules is None:
                session.project = None

    def _fitting(self, chunks: Sequence[Chunk]) -> list[Wanted]:
        """The best ones that there is room for."""
        found, room = [], self._most_tokens
        for chunk in chunks:
            tokens = tuple(self._tokenizer.encode(chunk.text))
            if 0 < len(tokens) <= room:
                found.append(Wanted(chunk, tokens))
                room -= len(tokens)
        return found

    # region Binding
    def _encoded(
        self, wanted: Sequence[Wanted], owner: str, interrupted: Callable[[], bool]
    ) -> tuple[BoundChunk, ...] | None:
        """What is wanted, the most relevant last, each encoded behind those before it; None if
        there was something better to do."""
        found: list[BoundChunk] = []
        for behind, each in self._line(wanted):
            rows = self._store.get(behind, each.tokens)
            if rows is None:
                pieces = [chunk.piece for chunk in found]
                rows = self._encoder.encode(each.tokens, interrupted, pieces)
                if rows is None:
                    return None
                self._store.put(behind, each.tokens, rows, owner)
            found.append(BoundChunk(each.chunk.use, each.chunk.text, each.tokens, rows))
        return tuple(found)

    def _missing(self, wanted: Sequence[Wanted]) -> int:
        """How many of them are not encoded."""
        line = self._line(wanted)
        return sum(self._store.get(behind, each.tokens) is None for behind, each in line)

    def _line(self, wanted: Sequence[Wanted]) -> Iterator[tuple[list[int], Wanted]]:
        """Each and the tokens that it stands behind, the most relevant last."""
        behind = list(self._encoder.sink)
        for each in reversed(wanted):
            yield behind, each
            behind = [*behind, *each.tokens]

    def _note(
        self, followed: Followed, session: FileSession | None, settled: bool, missing: int = 0
    ) -> None:
        """Say whether more may be shown before long."""
        followed.use = replace(followed.use, missing=missing, settled=settled)
        if session is not None and session.project is not None:
            session.project = followed.use

    def _put(
        self, followed: Followed, session: FileSession | None, chunks: tuple[BoundChunk, ...]
    ) -> None:
        if session is None:
            followed.ready = chunks
        elif [each.tokens for each in session.chunks.shown] != [each.tokens for each in chunks]:
            self._bind(followed, session, chunks)

    def _bind(
        self, followed: Followed, session: FileSession, chunks: tuple[BoundChunk, ...]
    ) -> None:
        """Put them in front of the file; where there is no room for them, none."""
        started = self._clock()
        try:
            session.chunks.bind(chunks)
        except CacheError as error:
            logger.info("no chunks are shown: %s", error)
        shown = session.chunks.shown
        session.project = followed.use = replace(
            followed.use,
            chunks=tuple(chunk.use for chunk in reversed(shown)),
            tokens=sum(len(chunk.tokens) for chunk in shown),
            bind_ms=(self._clock() - started) * 1e3,
        )

    # endregion


def _sight(followed: Followed, session: FileSession | None) -> Sight:
    held = frozenset((use.path, use.line - 1) for use in followed.use.chunks if not use.name)
    if session is None:
        return Sight(held=held)
    return Sight(session.asked_at, session.shown, held)
