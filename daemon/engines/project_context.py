"""What every open file is shown of its project: chosen, encoded and bound while nobody types.

No completion waits for any of it. Which chunks are bound changes only when that pays, because the
file's own tokens have to be encoded again to see them.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ...api.report import ProjectUse
from ...cache.chunk_store import ChunkStore
from ...cache.errors import CacheError
from ...cache.quantised import QuantisedRows
from ..completion.bound_chunks import BoundChunk
from ..completion.chunk_encoder import ChunkEncoder
from ..completion.file_session import FileSession
from ..project.index import ProjectIndex
from ..project.retrieval.chunk import Chunk
from ..project.retrieval.retrieval import Query, Retrieval
from ..server.engine_thread import File
from ..server.jobs import FileKey
from .open_outlines import NeededElsewhere, OpenOutlines
from .wanted import Wanted, pays

logger = logging.getLogger(__name__)

MOST_RECENT = 8  # files


class Around(Protocol):
    """The project that a file is in, as far as it has been read."""

    @property
    def root(self) -> Path: ...

    @property
    def index(self) -> ProjectIndex: ...

    def age(self) -> int:
        """Another number after the index has changed."""
        ...

    def is_growing(self) -> bool:
        """Whether it is still being read."""
        ...


class Projects(Protocol):
    """What is known of the user's projects; answers at once, with what there is by then."""

    def around(self, path: Path) -> Around | None:
        """None for a file that is in no project, or whose project is not to be read."""
        ...

    def busy(self) -> None:
        """A key was pressed."""
        ...

    def idle(self) -> None:
        """Nobody waits for anything."""
        ...

    def status(self) -> dict[str, Any]: ...

    def close(self) -> None: ...


class Encoder(Protocol):
    """What is asked of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...


@dataclass(slots=True)
class Followed:
    """What is known of one open file."""

    seen: tuple[Any, ...] = ()  # of what `wanted` was chosen
    wanted: tuple[Wanted, ...] = ()  # the most relevant first
    ready: tuple[BoundChunk, ...] = ()  # for a session that there is not yet
    use: ProjectUse = field(default_factory=ProjectUse)


class ProjectContext:
    """Owns the chunks of all files' projects. Of one engine, in its thread."""

    def __init__(
        self,
        projects: Projects,
        encoder: ChunkEncoder,
        tokenizer: Encoder,
        store: ChunkStore,
        most_tokens: int,
        path_of: Callable[[str], str],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`most_tokens`: of the chunks that one file is shown."""
        self._projects = projects
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._store = store
        self._most_tokens = most_tokens
        self._path_of = path_of
        self._clock = clock
        self._files: dict[FileKey, Followed] = {}
        self._outlines = OpenOutlines()

    def stir(self) -> None:
        """Somebody is typing: whoever reads files for this makes room."""
        self._projects.busy()

    def greet(self, key: FileKey, session: FileSession) -> None:
        """Give a file's new session what was prepared for it."""
        followed = self._files.get(key)
        if followed is not None and followed.ready and not session.chunks.shown:
            self._bind(followed, session, followed.ready)
            followed.ready = ()

    def follow(
        self,
        file: File,
        session: FileSession | None,
        opened: Collection[File],
        interrupted: Callable[[], bool],
    ) -> bool:
        """Choose, encode and bind what `file` should show, as far as it gets until `interrupted()`.
        `opened`: all open files of its window, the one used last last. Whether there may be more
        before long, because the project is still being read."""
        self._projects.idle()
        project = self._projects.around(Path(self._path_of(file.key.uri)))
        followed = self._files.setdefault(file.key, Followed())
        if project is None:
            followed.wanted = ()
            self._put(followed, session, ())
            return False
        try:
            self._choose(followed, file, session, opened, project, interrupted)
        except NeededElsewhere:
            return False
        for each in followed.wanted:
            if self._rows(each) is None and not self._encoded(each, project, interrupted):
                self._note_missing(followed, session)
                return False
        self._rebind(followed, session)
        return project.is_growing()

    def forget(self, key: FileKey) -> None:
        self._files.pop(key, None)
        self._outlines.forget(key)

    def status(self) -> dict[str, Any]:
        return {
            **self._projects.status(),
            "chunks": len(self._store),
            "chunk_bytes": self._store.used_bytes,
            "chunks_encoded": self._store.encoded,
        }

    def close(self) -> None:
        self._projects.close()

    # region Choosing
    def _choose(
        self,
        followed: Followed,
        file: File,
        session: FileSession | None,
        opened: Collection[File],
        project: Around,
        interrupted: Callable[[], bool],
    ) -> None:
        """Ask the project, unless nothing has changed since it was last asked. Raises
        `NeededElsewhere`."""
        others = [each for each in opened if each.key != file.key]
        cursor, shown = (0, (0, 0)) if session is None else (session.asked_at, session.shown)
        seen = (file.text.text, cursor, shown, project.age(), *(o.text.text for o in others))
        if _same(seen, followed.seen):
            return
        inside = {relative: each for each in others if (relative := self._relative(each, project))}
        path = self._relative(file, project) or file.key.uri
        query = Query(
            path=path,
            language=file.language,
            text=file.text.text,
            cursor=min(cursor, len(file.text.text)),
            outline=self._outlines.of(file, path, interrupted),
            opened={there: self._outlines.of(o, there, interrupted) for there, o in inside.items()},
            recent=tuple(inside)[: -MOST_RECENT - 1 : -1],
            shown=shown,
        )
        followed.wanted = tuple(
            self._fitting(Retrieval(project.index, project.index).wanted(query))
        )
        followed.seen = seen

    def _fitting(self, chunks: Sequence[Chunk]) -> list[Wanted]:
        """The best ones that there is room for."""
        found, room = [], self._most_tokens
        for chunk in chunks:
            tokens = tuple(self._tokenizer.encode(chunk.text))
            if len(tokens) <= room:
                found.append(Wanted(chunk, tokens))
                room -= len(tokens)
        return found

    def _relative(self, file: File, project: Around) -> str | None:
        """A file's path in the project; None if it is not in it."""
        path = Path(self._path_of(file.key.uri))
        return (
            path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else None
        )

    # endregion
    # region Binding
    def _encoded(self, wanted: Wanted, project: Around, interrupted: Callable[[], bool]) -> bool:
        """Encode a chunk; False if there was something better to do."""
        rows = self._encoder.encode(wanted.tokens, interrupted)
        if rows is None:
            return False
        self._store.put(self._encoder.sink, wanted.tokens, rows, str(project.root))
        return True

    def _rebind(self, followed: Followed, session: FileSession | None) -> None:
        """Show what is wanted, if the change pays."""
        bound = followed.ready if session is None else session.chunks.shown
        self._note_missing(followed, session)
        if pays(bound, followed.wanted):
            self._put(followed, session, self._ready(followed))

    def _ready(self, followed: Followed) -> tuple[BoundChunk, ...]:
        """What is wanted and encoded, the most relevant last."""
        found = [
            BoundChunk(each.use, each.chunk.text, each.tokens, rows)
            for each in followed.wanted
            if (rows := self._rows(each)) is not None
        ]
        return tuple(reversed(found))

    def _note_missing(self, followed: Followed, session: FileSession | None) -> None:
        missing = sum(self._rows(each) is None for each in followed.wanted)
        followed.use = replace(followed.use, missing=missing)
        if session is not None:
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
        session.project = followed.use = ProjectUse(
            tuple(chunk.use for chunk in reversed(shown)),
            sum(len(chunk.tokens) for chunk in shown),
            followed.use.missing,
            (self._clock() - started) * 1e3,
        )

    def _rows(self, wanted: Wanted) -> QuantisedRows | None:
        return self._store.get(self._encoder.sink, wanted.tokens)

    # endregion


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Texts are the same if they are the same string: they are compared at every pause."""
    return len(one) == len(other) and all(
        a is b if isinstance(a, str) else a == b for a, b in zip(one, other, strict=True)
    )
