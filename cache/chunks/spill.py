"""Chunks on disk: one SQLite file for each model, private to its user, within a budget of bytes.

Whatever is wrong with an entry makes it a miss, and whatever is wrong with the file replaces it: it
holds nothing that cannot be made again.
"""

import logging
import os
import sqlite3
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load, save

from ..quantised import QuantisedRows

logger = logging.getLogger(__name__)

T = TypeVar("T")

FORMAT = 2  # of the file: one of another format is replaced
SCHEMA = """
create table chunk (
    key blob primary key,
    owner text not null,
    used real not null,
    bytes integer not null,
    checksum integer not null,
    data blob not null
);
create index chunk_used on chunk (used);
create index chunk_owner on chunk (owner);
"""
WAIT_SECONDS = 0.2  # for another process that writes
FULL_SHARE = 0.9  # of the budget that is left when some had to give way
TENSORS = ("keys", "key_means", "key_scales", "values", "value_scales")


class DiskChunks:
    """A `ChunkSpill` in `path`. Nothing raises: a disk that is full or gone keeps no chunks."""

    def __init__(self, path: Path, most_bytes: int):
        self.path = path
        self.most_bytes = most_bytes
        self._connection: sqlite3.Connection | None = None
        self._bytes = 0
        self._failed = False

    def store(self, key: bytes, rows: QuantisedRows, owner: str) -> None:
        data = save({name: getattr(rows, name).contiguous() for name in TENSORS})
        values = (key, _text(owner), time.time(), len(data), zlib.crc32(data), data)

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("insert or replace into chunk values (?,?,?,?,?,?)", values)
            self._bytes += len(data)
            if self._bytes > self.most_bytes:
                self._bytes = _shrink(connection, int(self.most_bytes * FULL_SHARE))

        self._do(write)

    def restore(self, key: bytes) -> QuantisedRows | None:
        def read(connection: sqlite3.Connection) -> tuple[int, bytes] | None:
            wanted = "select checksum, data from chunk where key = ?"
            found = connection.execute(wanted, (key,)).fetchone()
            if found:
                connection.execute("update chunk set used = ? where key = ?", (time.time(), key))
            return found

        found = self._do(read)
        if not found:
            return None
        checksum, data = found
        with suppress(SafetensorError, KeyError, TypeError, ValueError):
            if zlib.crc32(data) == checksum:
                return QuantisedRows(**load(data))
        return None

    def forget(self, owner: str | None) -> int:
        """Drop an owner's chunks, or all for None, of which nothing is left on disk then; how many
        there were."""
        which = ("true", ()) if owner is None else ("owner = ?", (_text(owner),))
        command = f"delete from chunk where {which[0]}"
        done = self._do(lambda c: c.execute(command, which[1]).rowcount)
        # The journal has pages as they were.
        self._do(lambda c: c.execute("pragma wal_checkpoint (truncate)").fetchone())
        return done or 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What `work` gives, in a transaction of its own; None where that cannot be."""
        try:
            with self._opened() as connection:
                return work(connection)
        except sqlite3.OperationalError as error:  # locked, full, gone: this one is not kept
            self._warn(error)
        except sqlite3.DatabaseError as error:
            self._warn(error)
            self.close()
            _remove(self.path)
        except OSError as error:
            self._warn(error)
        return None

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
            connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, check_same_thread=False)
            self._connection = connection
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.execute("pragma secure_delete = on")  # what is forgotten is overwritten
            if connection.execute("pragma user_version").fetchone() != (FORMAT,):
                connection.executescript(f"drop table if exists chunk; {SCHEMA}")
                connection.execute(f"pragma user_version = {FORMAT}")
            self._bytes = _total(connection)
        return self._connection

    def _warn(self, error: Exception) -> None:
        """Once: the next thousand chunks have the same trouble."""
        if not self._failed:
            logger.warning("chunks are not kept in %s: %s", self.path, error)
        self._failed = True


def _text(owner: str) -> str:
    """As SQLite takes it: a path may have half characters in it."""
    return owner.encode("utf-8", "backslashreplace").decode()


def _total(connection: sqlite3.Connection) -> int:
    return connection.execute("select coalesce(sum(bytes), 0) from chunk").fetchone()[0]


def _shrink(connection: sqlite3.Connection, most_bytes: int) -> int:
    """Drop those used longest ago; the bytes that are left."""
    total = _total(connection)
    rows = connection.execute("select key, bytes from chunk order by used").fetchall()
    for key, count in rows:
        if total <= most_bytes:
            break
        connection.execute("delete from chunk where key = ?", (key,))
        total -= count
    return total


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
