"""A case's package as the retrieval sees it, and the question that a case is."""

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from keyturn.daemon.project.index import ProjectIndex
from keyturn.daemon.project.indexing.writer import IndexWriter, Stamp
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.retrieval.retrieval import Query, Retrieval, Weights
from keyturn.daemon.workspace.language import language_of
from keyturn.daemon.workspace.project import MOST_FILE_BYTES

from .case import Case

BUILT = {"dist", "build", "node_modules", "__pycache__"}  # nothing that a repository keeps
LANGUAGES = ("python", "typescript", "typescriptreact")


def retrieval_of(case: Case, weights: Weights | None = None) -> Retrieval:
    """Of the package's files, all of them."""
    index = index_of(case.folder, case.path.partition("/")[0])
    return Retrieval(index, index, weights)


def query_of(case: Case, typed: int = 0) -> Query:
    """What an editor asks at a case's cursor, when `typed` characters of the line are there."""
    before = case.before + case.wanted[:typed]
    text = before + case.after
    return Query(
        case.path,
        case.language,
        text,
        len(before),
        outline(case.path, case.language, text),
        shown=(len(case.before) - len(case.prefix), len(before) + len(case.suffix)),
    )


@lru_cache
def index_of(folder: Path, package: str) -> ProjectIndex:
    """Of all that a repository would keep of a package; paths are relative to `folder`."""
    paths = [
        path
        for path in sorted((folder / package).rglob("*"))
        if language_of(path.name).id in LANGUAGES
        and not BUILT.intersection(path.parts)
        and not path.name.endswith((".d.ts", ".d.mts", ".d.cts"))
        and path.is_file()
        and path.stat().st_size <= MOST_FILE_BYTES
    ]
    place = Place(Path(_temporary().name, package))
    writer = IndexWriter(place)
    for path in paths:
        language = language_of(path.name).id
        text = path.read_text(encoding="utf-8", errors="replace")
        read = outline(str(path.relative_to(folder)), language, text, uses=False)
        writer.put(read, Stamp.of(path.stat()))
    writer.commit()
    writer.close()
    return ProjectIndex(place)


@lru_cache
def _temporary() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="keyturn-project-")
