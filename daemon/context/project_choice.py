"""Chunks of the project that a file is in, chosen from its index and from what is open."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...api.chunk import Chunk
from ...lsp.options import matching
from ..project.place import Place
from ..project.retrieval.retrieval import Query, Retrieval
from ..server.engine import File, OpenFiles
from ..server.jobs import FileKey
from ..workspace.project import project_of
from .choice import Offer, Rules, Sight
from .open_outlines import OpenOutlines
from .open_rules import OpenRules
from .projects import Around, Projects

MOST_RECENT = 8  # files


@dataclass(frozen=True, slots=True)
class Unmatched:
    """`choice.Rules`: files of the project in `root` that match none of `globs`."""

    root: Path
    globs: tuple[str, ...]

    def may_show(self, path: str) -> bool:
        return matching(self.root / path, self.globs) is None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was found for a file, and of what."""

    seen: tuple[Any, ...]
    chunks: tuple[Chunk, ...]


class ProjectChoice:
    """`choice.Choice`. In one thread."""

    is_kept = True

    def __init__(
        self, projects: Projects, path_of: Callable[[str], str], open_files: OpenFiles = tuple
    ) -> None:
        """`open_files`: of all editors."""
        self._projects = projects
        self._path_of = path_of
        self._chosen: dict[FileKey, Chosen] = {}
        self._roots: dict[FileKey, Path | None] = {}  # of files' projects
        self._outlines = OpenOutlines()
        self._indexes: dict[Path, tuple[Place, object]] = {}  # that chunks were made of, by root
        self._rules = OpenRules(open_files, path_of)

    def rules(self, file: File) -> Rules | None:
        root = self._root(file)
        if root is None or not file.project.is_read:
            return None
        globs = self._rules.globs(file, root)
        return None if globs is None else Unmatched(root, globs)

    def offer(
        self, file: File, sight: Sight, opened: Collection[File], interrupted: Callable[[], bool]
    ) -> Offer | None:
        self._roots[file.key] = project_of(self._path(file))
        project = self._around(file)
        if project is None:
            self._chosen.pop(file.key, None)
            return None
        place = project.index.place
        if (identity := place.identity()) is not None:
            self._indexes.setdefault(project.root, (place, identity))
        chunks = self._choose(file, sight, opened, project, interrupted)
        return Offer(chunks, str(project.root), project.is_growing())

    def expects(self, file: File) -> bool:
        return self._root(file) is not None and file.project.is_read

    def is_forgotten(self) -> bool:
        """Whether an index was, out of which something was offered: its user asked for that."""
        gone = [root for root, (place, seen) in self._indexes.items() if place.identity() != seen]
        for root in gone:
            del self._indexes[root]
        return bool(gone)

    def busy(self) -> None:
        self._projects.busy()

    def idle(self) -> None:
        self._projects.idle()

    def forget(self, key: FileKey) -> None:
        self._chosen.pop(key, None)
        self._roots.pop(key, None)
        self._outlines.forget(key)

    def status(self) -> dict[str, Any]:
        return self._projects.status()

    def close(self) -> None:
        self._projects.close()

    def _around(self, file: File) -> Around | None:
        """The project to show `file`; what its editor allows is told also if that is nothing."""
        root = self._root(file)
        if root is None:
            return None
        project = self._projects.around(self._path(file), self._rules.globs(file, root))
        return project if file.project.is_read else None

    def _choose(
        self,
        file: File,
        sight: Sight,
        opened: Collection[File],
        project: Around,
        interrupted: Callable[[], bool],
    ) -> tuple[Chunk, ...]:
        """Ask the project, unless nothing has changed since it was last asked."""
        others = [each for each in opened if each.key != file.key and each.project.is_read]
        rules = self.rules(file)
        now = (sight.cursor, sight.shown, project.age(), rules)
        seen = (file.text.text, *now, *(other.text.text for other in others))
        known = self._chosen.get(file.key)
        if known is not None and _same(seen, known.seen):
            return known.chunks
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
            cursor=min(sight.cursor, len(file.text.text)),
            outline=self._outlines.of(file, path, interrupted),
            opened={there: self._outlines.of(o, there, interrupted) for there, o in inside.items()},
            recent=tuple(inside)[: -MOST_RECENT - 1 : -1],
            shown=sight.shown,
            held=sight.held,
        )
        found = Retrieval(project.index, project.index).wanted(query)
        chunks = tuple(each for each in found if rules is not None and rules.may_show(each.path))
        self._chosen[file.key] = Chosen(seen, chunks)
        return chunks

    def _root(self, file: File) -> Path | None:
        if file.key not in self._roots:
            self._roots[file.key] = project_of(self._path(file))
        return self._roots[file.key]

    def _relative(self, file: File, project: Around) -> str | None:
        """A file's path in the project; None if it is not in it."""
        path, root = self._path(file), project.root
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else None

    def _path(self, file: File) -> Path:
        return Path(self._path_of(file.key.uri))


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Texts are the same if they are the same string: they are compared at every pause."""
    return len(one) == len(other) and all(
        a is b if isinstance(a, str) else a == b for a, b in zip(one, other, strict=True)
    )
