"""A folder of code as a project, with an index that is made for the occasion."""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from ....api.chunk import Chunk
from ....lsp.options import Options
from ...project.index import ProjectIndex
from ...project.indexing.writer import IndexWriter, Stamp
from ...project.place import Place
from ...project.reading.reader import outline
from ...project.reading.shapes import SHAPES
from ...project.retrieval.retrieval import Query, Retrieval
from ...workspace.language import COMMENTS, language_of
from ...workspace.project import Project
from .cases import Case

MOST_FILES = 5_000
RING_LINES = 64  # as llama.vim's
RING_CHUNKS = 8


class Folder:
    """Reads what the daemon would under these settings, and at once."""

    def __init__(self, root: Path, cache: Path, options: Options) -> None:
        self.project = Project(root, options)
        place = Place.of(root, cache)
        self._took_s = _write(self.project, IndexWriter(place))
        self.index = ProjectIndex(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.index.close()

    def wanted(self, case: Case) -> list[Chunk]:
        """What the retrieval chooses for a case, best first."""
        query = Query(
            path=case.path,
            language=case.language,
            text=case.text,
            cursor=len(case.before),
            outline=outline(case.path, case.language, case.text),
            shown=(0, len(case.text)),
        )
        return Retrieval(self.index, self.index).wanted(query)

    def ring(self, case: Case, random: Random) -> Iterator[str]:
        """Random pieces of other files, as editors without an index draw them."""
        others = [path for path in self.index.files() if path != case.path]
        for path in random.sample(others, min(RING_CHUNKS, len(others))):
            read = self.project.read(self.project.root / path)
            if read is not None:
                lines = read.text.split("\n")
                first = random.randrange(max(1, len(lines) - RING_LINES))
                mark = (COMMENTS.get(read.language) or ("#",))[0]
                piece = lines[first : first + RING_LINES]
                yield "\n".join([f"{mark} {path}", *piece, "", ""])

    def figures(self) -> dict[str, float]:
        status = self.index.status()
        return {
            "files": status.files,
            "definitions": status.definitions,
            "index_bytes": status.bytes,
            "indexing_s": self._took_s,
        }


def _write(project: Project, writer: IndexWriter) -> float:
    started = time.perf_counter()
    for path, name in islice(_with_outlines(project), MOST_FILES):
        read = project.read(path)
        if read is not None:
            found = outline(name, read.language, read.text, uses=False)
            with suppress(OSError):  # gone since
                writer.put(found, Stamp.of(path.stat()))
    writer.commit()
    writer.close()
    return time.perf_counter() - started


def _with_outlines(project: Project) -> Iterator[tuple[Path, str]]:
    """Files in whose language something is found, and their names in an index; as there, none whose
    name is no text."""
    for path in project.files():
        if language_of(path.name).id in SHAPES:
            name = path.relative_to(project.root).as_posix()
            if _is_text(name):
                yield path, name


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # half characters, for bytes that are no UTF-8
        return False
    return True
