"""What every open file is shown of its project: chosen, encoded and bound while nobody types.

No completion waits for any of it. Which chunks are bound changes only when that pays, because the
file's own tokens have to be encoded again to see them.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ...cache.chunks.store import ChunkStore
from ...cache.errors import CacheError
from ..completion.bound_chunks import BoundChunk
from ..completion.chunk_encoder import ChunkEncoder
from ..completion.file_session import FileSession
from ..project.place import Place
from ..project.retrieval.chunk import Chunk
from ..project.retrieval.retrieval import Query, Retrieval
from ..server.engine_thread import File, OpenFiles
from ..server.jobs import FileKey
from ..workspace.project import project_of
from .followed import Followed
from .open_outlines import NeededElsewhere, OpenOutlines
from .open_rules import OpenRules
from .projects import Around, Projects
from .wanted import Wanted, pays

logger = logging.getLogger(__name__)

MOST_RECENT = 8  # files


class Encoder(Protocol):
    """What is asked of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...


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
        open_files: OpenFiles = tuple,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`most_tokens`: of the chunks that one file is shown. `open_files`: of all editors."""
        self._projects = projects
        self._encoder = encoder
        self._tokenizer = tokenizer
        self._store = store
        self._most_tokens = most_tokens
        self._path_of = path_of
        self._clock = clock
        self._files: dict[FileKey, Followed] = {}
        self._outlines = OpenOutlines()
        self._indexes: dict[Path, tuple[Place, object]] = {}  # that chunks were made of, by root
        self._rules = OpenRules(open_files, path_of)

    def stir(self) -> None:
        """Somebody is typing: whoever reads files for this makes room."""
        self._projects.busy()

    def greet(self, file: File, session: FileSession) -> None:
        """Before a completion: give a file's new session what was prepared for it, and take away
        what may no longer be shown."""
        followed = self._followed(file)
        self._obey(followed, file, session)
        if followed.ready and not session.chunks.shown:
            self._bind(followed, session, followed.ready)
            followed.ready = ()
        is_read = followed.root is not None and file.project.is_read
        use = followed.use if followed.is_placed else replace(followed.use, settled=False)
        session.project = use if is_read else None

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
        self._projects.idle()
        followed = self._followed(file)
        followed.root = project_of(self._path(file))
        self._obey(followed, file, session)
        project = self._around(followed, file)
        followed.looks += 1
        self._forget_with_indexes()
        if project is None:
            followed.wanted = followed.offered = followed.seen = ()
            self._put(followed, session, ())
            self._note(followed, session, settled=followed.looks > 1)  # once it may only be new
            return followed.root is not None and file.project.is_read
        place = project.index.place
        if (identity := place.identity()) is not None:
            self._indexes.setdefault(project.root, (place, identity))
        try:
            self._choose(followed, file, session, opened, project, interrupted)
        except NeededElsewhere:
            return True
        bound = followed.ready if session is None else session.chunks.shown
        if pays(bound, followed.wanted, followed.offered):
            chunks = self._encoded(followed.wanted, project, interrupted)
            if chunks is None:
                missing = self._missing(followed.wanted)
                self._note(followed, session, settled=False, missing=missing)
                return True
            self._put(followed, session, chunks)
        self._note(followed, session, settled=not project.is_growing())
        return True

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

    # region Rules
    def _followed(self, file: File) -> Followed:
        if file.key not in self._files:
            self._files[file.key] = Followed(project_of(self._path(file)))
        return self._files[file.key]

    def _around(self, followed: Followed, file: File) -> Around | None:
        """The project to show `file`; what its editor allows is told also if that is nothing."""
        if followed.root is None:
            return None
        globs = self._rules.globs(file, followed.root)
        project = self._projects.around(self._path(file), globs)
        return project if file.project.is_read else None

    def _obey(self, followed: Followed, file: File, session: FileSession | None) -> None:
        """Take away what was prepared or bound and may no longer be shown."""
        globs = None
        if followed.root is not None and file.project.is_read:
            globs = self._rules.globs(file, followed.root)
        if globs == followed.globs:
            return
        followed.globs = globs
        followed.ready = followed.allowed(followed.ready)
        if session is not None:
            shown = session.chunks.shown
            if len(allowed := followed.allowed(shown)) < len(shown):
                self._bind(followed, session, allowed)
            if globs is None:
                session.project = None

    def _forget_with_indexes(self) -> None:
        """Forget what was encoded when a project's index was: its user asked for that."""
        for root, (place, identity) in list(self._indexes.items()):
            if place.identity() != identity:
                del self._indexes[root]
                self._store.clear()

    # endregion
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
        others = [each for each in opened if each.key != file.key and each.project.is_read]
        cursor, shown = (0, (0, 0)) if session is None else (session.asked_at, session.shown)
        now = (cursor, shown, project.age(), followed.globs)
        seen = (file.text.text, *now, *(other.text.text for other in others))
        if _same(seen, followed.seen):
            return
        inside = {
            path: each
            for each in others
            if (path := self._relative(each, project)) and project.index.has(path)
        }  # what is not in the index may be ignored by git, or a link
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
            held=frozenset((use.path, use.line - 1) for use in followed.use.chunks if not use.name),
        )
        found = Retrieval(project.index, project.index).wanted(query)
        followed.offered = tuple(each for each in found if followed.may_show(each.path))
        followed.wanted = tuple(self._fitting(followed.offered))
        followed.seen = seen
        followed.is_placed = session is not None

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
        path, root = self._path(file), project.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else None

    def _path(self, file: File) -> Path:
        return Path(self._path_of(file.key.uri))

    # endregion
    # region Binding
    def _encoded(
        self, wanted: Sequence[Wanted], project: Around, interrupted: Callable[[], bool]
    ) -> tuple[BoundChunk, ...] | None:
        """What is wanted, the most relevant last, each encoded behind those before it; None if
        there was something better to do."""
        found: list[BoundChunk] = []
        behind = list(self._encoder.sink)
        for each in reversed(wanted):
            rows = self._store.get(behind, each.tokens)
            if rows is None:
                pieces = [chunk.piece for chunk in found]
                rows = self._encoder.encode(each.tokens, interrupted, pieces)
                if rows is None:
                    return None
                self._store.put(behind, each.tokens, rows, str(project.root))
            found.append(BoundChunk(each.use, each.chunk.text, each.tokens, rows))
            behind += each.tokens
        return tuple(found)

    def _missing(self, wanted: Sequence[Wanted]) -> int:
        """How many of them are not encoded."""
        behind, missing = list(self._encoder.sink), 0
        for each in reversed(wanted):
            missing += self._store.get(behind, each.tokens) is None
            behind += each.tokens
        return missing

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


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Texts are the same if they are the same string: they are compared at every pause."""
    return len(one) == len(other) and all(
        a is b if isinstance(a, str) else a == b for a, b in zip(one, other, strict=True)
    )
