"""The tables of an index, and the words by which its definitions are found."""

import re
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

VERSION = 1  # of the tables, of the words, and of how files are read
TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    imports TEXT NOT NULL
);
CREATE INDEX files_by_name ON files (name);
CREATE INDEX files_by_folder ON files (folder);
CREATE TABLE definitions (
    id INTEGER PRIMARY KEY,
    file INTEGER NOT NULL,
    language TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    container TEXT NOT NULL,
    line INTEGER NOT NULL,
    end_line INTEGER NOT NULL,
    signature TEXT NOT NULL,
    doc TEXT NOT NULL,
    source BLOB NOT NULL
);
CREATE INDEX definitions_by_name ON definitions (name, language);
CREATE INDEX definitions_by_file ON definitions (file);
CREATE VIRTUAL TABLE words USING fts5 (
    name, text, content = '', -- with less than all details, BM25 would count nothing
    tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);
"""

IDENTIFIER = re.compile(r"[^\W\d]\w*")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\dA-Z_]+|\d+")
SHORTEST = 2  # characters of a word


def create(connection: sqlite3.Connection) -> None:
    connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")


def words_of(text: str) -> Iterator[str]:
    """The words of a text, each once: its identifiers, and what they are put together from."""
    return _once(IDENTIFIER.findall(text))


def _once(identifiers: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    for identifier in dict.fromkeys(identifiers):
        for word in parts_of(identifier):
            if word not in seen:
                seen.add(word)
                yield word


@lru_cache(maxsize=1 << 14)
def parts_of(identifier: str) -> tuple[str, ...]:
    """An identifier in small letters, and its parts if it has several: of camels and snakes."""
    whole = identifier.lower()
    parts = [part.lower() for part in PARTS.findall(identifier)]
    return tuple(word for word in dict.fromkeys((whole, *parts)) if len(word) >= SHORTEST)


def packed(source: str) -> bytes:
    """A source as it is kept."""
    return zlib.compress(source.encode("utf-8", "replace"), 1)


def unpacked(data: bytes) -> str:
    return zlib.decompress(data).decode("utf-8", "replace")
