"""The index of a project, to read from.

Somebody else writes it, in another process. It may be missing, locked, half made, broken or just
removed: then there is nothing in it. Nothing raises, and nothing waits.
"""

import json
import logging
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from posixpath import basename
from typing import Any, TypeVar

from . import window_search
from .outline import Definition, FileImports, Import
from .passages import Excerpt
from .place import Place
from .schema import VERSION, unpacked

logger = logging.getLogger(__name__)

Found = TypeVar("Found")

MOST_SECONDS = 0.05  # of a question; the answer is what was found by then
STEPS = 2_000  # of SQLite's machine between two looks at the clock
CACHE_KIB = 8_192
MOST_NAMES = 64  # of a question
MOST_OF_ONE_NAME = 16
MOST_IN_FILE = 2_000
MOST_FILES = 1_000
COLUMNS = (
    "f.path, d.language, d.name, d.kind, d.container, d.line, d.end_line, d.signature, d.doc,"
    " d.source"
)
JOINED = "definitions AS d JOIN files AS f ON f.id = d.file"


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """`written`: seconds since the epoch, 0 for never. `facts`: what the writer says of it.
    `problem`: why it cannot be read, empty if it can or there is none."""

    files: int
    definitions: int
    bytes: int
    written: float
    facts: dict[str, Any]
    problem: str = ""


class ProjectIndex:
    """For any thread; they take turns."""

    def __init__(self, place: Place, most_seconds: float = MOST_SECONDS) -> None:
        self.place = place
        self.problem = ""  # with the last answers
        self._most_seconds = most_seconds
        self._lock = threading.Lock()
        # Below: touched with the lock only.
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._until = 0.0
        self._complained = False

    # region Definitions
    def named(self, names: Collection[str], languages: Collection[str]) -> list[Definition]:
        """Those of these names, wherever they are; of each name so many at most."""

        def found(connection: sqlite3.Connection) -> Iterator[Definition]:
            for name in islice(dict.fromkeys(names), MOST_NAMES):
                yield from map(
                    _definition,
                    connection.execute(
                        f"SELECT {COLUMNS} FROM {JOINED} WHERE d.name = ?"
                        f" AND d.language IN ({_marks(languages)}) LIMIT {MOST_OF_ONE_NAME}",
                        (name, *languages),
                    ),
                )

        return self._ask(found)

    def inside(self, path: str, names: Collection[str]) -> list[Definition]:
        """A file's of these names, in their order."""
        wanted = list(dict.fromkeys(names))[:MOST_NAMES]
        return self._of_file(path, f" AND d.name IN ({_marks(wanted)})", *wanted)

    def members(self, path: str, container: str = "") -> list[Definition]:
        """What stands in one definition of a file, or at its top, in the file's order."""
        return self._of_file(path, " AND d.container = ?", container)

    def _of_file(self, path: str, which: str, *values: str) -> list[Definition]:
        def found(connection: sqlite3.Connection) -> Iterator[Definition]:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM {JOINED} WHERE f.path = ?{which}"
                f" ORDER BY d.id LIMIT {MOST_IN_FILE}",
                (path, *values),
            )
            return map(_definition, rows)

        return self._ask(found)

    def imports_of(self, path: str) -> FileImports | None:
        def found(connection: sqlite3.Connection) -> Iterator[FileImports]:
            for language, imports in connection.execute(
                "SELECT language, imports FROM files WHERE path = ?", (path,)
            ):
                yield FileImports(language, tuple(_imports(imports)))

        return next(iter(self._ask(found)), None)

    def alike(
        self,
        names: Collection[str],
        languages: Collection[str],
        most: int,
        but: str = "",
        calling: str = "",
    ) -> list[Excerpt]:
        """Excerpts that share names with these, the most alike by BM25 first; none of the file
        `but`. Names that very many have are left out. If `calling`, so many that have this name
        come before them."""

        return self._ask(lambda c: window_search.alike(c, names, languages, most, but, calling))

    # endregion
    # region Files
    def has(self, path: str) -> bool:
        """Whether it is one of the project's files."""
        return bool(self._paths("path = ?", path))

    def ending(self, tail: str) -> list[str]:
        """The paths that are `tail`, or end with it behind a slash."""
        found = self._paths("name = ?", basename(tail))
        return [path for path in found if f"/{path}".endswith(f"/{tail}")]

    def within(self, folder: str) -> list[str]:
        """The paths of the files right in a folder; the root's is empty."""
        return self._paths("folder = ?", folder)

    def files(self, under: str = "") -> list[str]:
        """The paths below a folder, so many at most."""
        return (
            self._paths("path >= ? AND path < ?", f"{under}/", f"{under}0")
            if under
            else (self._paths("TRUE"))
        )

    def _paths(self, condition: str, *values: str) -> list[str]:
        def found(connection: sqlite3.Connection) -> Iterator[str]:
            for (path,) in connection.execute(
                f"SELECT path FROM files WHERE {condition} ORDER BY path LIMIT {MOST_FILES}", values
            ):
                yield path

        return self._ask(found)

    # endregion
    def version(self) -> int:
        """Another number after something was written; 0 while there is nothing."""

        def found(connection: sqlite3.Connection) -> Iterator[int]:
            yield from connection.execute("PRAGMA data_version").fetchone()

        versions = self._ask(found)
        return hash((self._identity, *versions)) if versions else 0

    def status(self) -> IndexStatus:
        def told(connection: sqlite3.Connection) -> Iterator[tuple[str, Any]]:
            return iter(connection.execute("SELECT key, value FROM about"))

        self.problem = ""
        facts = dict(self._ask(told))
        counts = [facts.pop(key, 0) for key in ("files", "definitions")]
        written = facts.pop("written", 0.0)
        size = self.place.bytes()
        return IndexStatus(*counts, bytes=size, written=written, facts=facts, problem=self.problem)

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _ask(self, question: Callable[[sqlite3.Connection], Iterator[Found]]) -> list[Found]:
        """All that is found until something goes wrong, or the time is over."""
        found: list[Found] = []
        with self._lock:
            self._until = time.perf_counter() + self._most_seconds
            try:
                for each in question(self._opened()):
                    found.append(each)  # what was found before an error counts
            except (sqlite3.Error, OSError, ValueError, TypeError, zlib.error) as error:
                self._complain(error)
                self._drop()
        return found

    def _opened(self) -> sqlite3.Connection:
        identity = self.place.identity()
        if identity is None:
            self._drop()
            raise FileNotFoundError(f"there is no index in {self.place.folder}")
        if self._connection is not None and identity == self._identity:
            return self._connection
        self._drop()
        connection = sqlite3.connect(
            f"{self.place.database.absolute().as_uri()}?mode=ro",
            uri=True, timeout=0.0, isolation_level=None, check_same_thread=False,
        )  # fmt: skip
        self._connection, self._identity = connection, identity
        connection.set_progress_handler(self._is_over, STEPS)
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not version:
            raise FileNotFoundError(f"the index in {self.place.folder} is being made")
        if version != VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}")
        self._complained = False
        return connection

    def _is_over(self) -> bool:
        return time.perf_counter() > self._until

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._identity = None

    def _complain(self, error: Exception) -> None:
        usual = isinstance(error, FileNotFoundError) or "locked" in str(error)
        if not usual:
            self.problem = f"it cannot be read: {error}"
        if not self._complained and not usual:
            logger.warning("the index in %s cannot be read: %s", self.place.folder, error)
            self._complained = True


def _definition(row: Sequence[Any]) -> Definition:
    *plain, source = row
    return Definition(*plain, source=unpacked(source))


def _imports(text: str) -> Iterator[Import]:
    for module, names, alias, line in json.loads(text):
        yield Import(module, tuple((there, here) for there, here in names), alias, line)


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
