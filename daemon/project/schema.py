"""The tables of an index, and how it keeps texts."""

import sqlite3
import zlib

VERSION = 2  # of the tables, of the words, and of how files are read
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
CREATE TABLE passages (
    id INTEGER PRIMARY KEY,
    file INTEGER NOT NULL,
    line INTEGER NOT NULL,
    text BLOB NOT NULL
);
CREATE UNIQUE INDEX passages_by_file ON passages (file, line);
CREATE VIRTUAL TABLE words USING fts5 ( -- the names in the window that begins with a passage
    names, content = '', -- with less than all details, BM25 would count nothing
    tokenize = "unicode61 remove_diacritics 0 tokenchars '_'"
);
"""


def create(connection: sqlite3.Connection) -> None:
    connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")


def packed(source: str) -> bytes:
    """A source as it is kept."""
    return zlib.compress(source.encode("utf-8", "replace"), 1)


def unpacked(data: bytes) -> str:
    """Raises `sqlite3.DatabaseError` for what was damaged."""
    try:
        return zlib.decompress(data).decode("utf-8", "replace")
    except zlib.error as error:
        raise sqlite3.DatabaseError(f"a text is damaged: {error}") from error
