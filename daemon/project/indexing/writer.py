"""The writing side of an index. One process has it at a time, by the lock of its place."""

import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from posixpath import basename, dirname
from typing import Any

from ....cache.errors import KeyturnError
from ..outline import Definition, Outline
from ..passages import LINES, passages, windows
from ..place import Place
from ..schema import VERSION, create, packed, unpacked

logger = logging.getLogger(__name__)

MERGE_PAGES = 16  # of words, at once
JOURNAL_BYTES = 4 << 20  # that stay on disk between transactions
UNSETTLED = "unsettled"  # a fact: something may be left of what was removed
BUSY_SECONDS = 2.0  # until another process has ended its transaction: `keyturn project`, at most


CORRUPTION = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class IndexGone(KeyturnError):
    """The index was removed, or another process has made it anew: open it again."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """By which a changed file is known."""

    bytes: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


class IndexWriter:
    """An index, to write to. What is put and removed counts from the next `commit` on.

    One of another version, or one that is broken, is made anew; one that only cannot be written to
    now is left. Raises `IndexGone` when it was removed meanwhile, `sqlite3.Error` and `OSError`
    where nothing can be written.
    """

    def __init__(self, place: Place, pause: Callable[[], None] = lambda: None) -> None:
        """`pause` is called between small steps."""
        self._place = place
        self._pause = pause
        if place.identity() is None:
            place.forget()  # a journal without its index
        try:
            self._connection = self._opened()
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            logger.warning("the index in %s is made anew: %s", place.folder, error)
            place.forget()
            self._connection = self._opened()
        self._identity = place.identity()
        self._files, self._definitions = map(self._count, ("files", "definitions"))

    def _opened(self) -> sqlite3.Connection:
        self._place.make()
        connection = sqlite3.connect(
            self._place.database, timeout=BUSY_SECONDS, isolation_level=None
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if not tables:
                create(connection)
            elif version != VERSION:
                raise sqlite3.DatabaseError(f"it is of version {version}, not {VERSION}")
            for table in ("files", "definitions", "about"):
                connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def stamps(self) -> dict[str, Stamp]:
        """Of the files that were read, by path."""
        rows = self._connection.execute("SELECT path, bytes, mtime_ns, inode FROM files")
        return {path: Stamp(*stamp) for path, *stamp in rows}

    def put(self, outline: Outline, stamp: Stamp) -> None:
        """This is what a file has now."""
        self.remove(outline.path)
        path = outline.path
        imports = json.dumps([[i.module, i.names, i.alias, i.line] for i in outline.imports])
        row = (path, dirname(path), basename(path), outline.language)
        cursor = self._connection.execute(
            "INSERT INTO files (path, folder, name, language, bytes, mtime_ns, inode, imports)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, stamp.bytes, stamp.mtime_ns, stamp.inode, imports),
        )
        file = cursor.lastrowid
        self._files += 1
        self._definitions += len(outline.definitions)
        for definition in outline.definitions:
            self._pause()
            self._add(file, definition)
        pieces = passages(outline.text)
        for number, (piece, names) in enumerate(zip(pieces, windows(pieces), strict=True)):
            self._pause()
            cursor = self._connection.execute(
                "INSERT INTO passages (file, line, text) VALUES (?, ?, ?)",
                (file, number * LINES, packed(piece)),
            )
            self._connection.execute(
                "INSERT INTO words (rowid, names) VALUES (?, ?)",
                (cursor.lastrowid, " ".join(names)),
            )

    def remove(self, path: str) -> None:
        """Nothing is known of this file any more."""
        self._begin()
        for (file,) in self._connection.execute("SELECT id FROM files WHERE path = ?", (path,)):
            rows = self._connection.execute(
                "SELECT id, text FROM passages WHERE file = ? ORDER BY line", (file,)
            ).fetchall()
            pieces = [unpacked(text) for _, text in rows]
            for (number, _), names in zip(rows, windows(pieces), strict=True):
                self._pause()
                self._connection.execute(  # the same names as were put in
                    "INSERT INTO words (words, rowid, names) VALUES ('delete', ?, ?)",
                    (number, " ".join(names)),
                )
            self._connection.execute("DELETE FROM passages WHERE file = ?", (file,))
            gone = self._connection.execute("DELETE FROM definitions WHERE file = ?", (file,))
            self._definitions -= gone.rowcount
            self._connection.execute("DELETE FROM files WHERE id = ?", (file,))
            self._files -= 1
            self.note(**{UNSETTLED: 1})

    def note(self, **facts: Any) -> None:
        """Facts about the index as a whole: numbers and texts."""
        self._begin()
        self._connection.executemany(
            "INSERT OR REPLACE INTO about (key, value) VALUES (?, ?)", facts.items()
        )

    def noted(self, key: str) -> Any:
        """A fact; None if there is none."""
        rows = self._connection.execute("SELECT value FROM about WHERE key = ?", (key,))
        return next((value for (value,) in rows), None)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left on disk of what was removed or replaced."""
        return not self.noted(UNSETTLED)

    def is_there(self) -> bool:
        """Whether it is still the index of its place."""
        return self._place.identity() == self._identity

    def commit(self) -> None:
        if not self.is_there():
            raise IndexGone("the project's index was removed")
        if self._connection.in_transaction:
            self.note(files=self._files, definitions=self._definitions, written=time.time())
            self._connection.execute("COMMIT")

    def settle(self) -> Iterator[None]:
        """Put the words together, a step at a time: they are found sooner then, and nothing is
        left on disk of what was removed, which is only marked as gone before. The journal is
        emptied too, which has pages as they were."""
        merge = "INSERT INTO words (words, rank) VALUES ('merge', ?)"
        pages = -MERGE_PAGES  # below zero: of all segments, however few there are
        while True:
            self._pause()
            before = self._connection.total_changes
            self._connection.execute(merge, (pages,))
            if self._connection.total_changes - before < 2:  # as FTS5 says that nothing is left
                break
            pages = MERGE_PAGES
            yield
        self.note(**{UNSETTLED: 0})
        self._connection.execute("COMMIT")
        (is_busy, *_) = self._connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()
        if is_busy:  # somebody reads: the journal is as it was
            self.note(**{UNSETTLED: 1})
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """What was not committed is dropped."""
        self._connection.close()

    def _count(self, table: str) -> int:
        return self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _add(self, file: int | None, each: Definition) -> None:
        self._connection.execute(
            "INSERT INTO definitions (file, language, name, kind, container, line, end_line,"
            " signature, doc, source) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                file, each.language, each.name, each.kind, each.container, each.line,
                each.end_line, each.signature, each.doc, packed(each.source),
            ),
        )  # fmt: skip


def is_broken(error: sqlite3.DatabaseError) -> bool:
    """Whether an index will never again be good: not when it is locked, or the disk is full."""
    if not isinstance(error, sqlite3.OperationalError):
        return True
    code = getattr(error, "sqlite_errorcode", None)  # of errors that SQLite itself raised
    return code is not None and code & 0xFF in CORRUPTION
