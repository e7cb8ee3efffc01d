"""The search of an index for windows of code that are like other code, by the names in them."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from itertools import islice

from .passages import LINES, SHOWN, Excerpt, excerpt
from .schema import unpacked

MOST_WORDS = 32  # of a question
MOST_WITH_WORD = 300  # windows: what more have says little
MOST_MATCHES = 800  # windows that are compared: those with the rarest names
SPARE = 40  # windows more than are asked for, of the same file or other languages


def alike(
    connection: sqlite3.Connection,
    names: Iterable[str],
    languages: Collection[str],
    most: int,
    but: str,
    calling: str,
) -> Iterator[Excerpt]:
    """As `ProjectIndex.alike`. Raises `sqlite3.Error`."""
    telling = " OR ".join(_telling(connection, names))
    questions = [(telling, "ORDER BY rank")]
    if calling:
        both = f"{_quoted(calling)} AND ({telling})" if telling else ""
        questions = [(both, "ORDER BY rank"), (_quoted(calling), ""), *questions]
    marks = ", ".join("?" * len(languages))
    seen: set[int] = set()
    for question, order in questions:
        if not question:
            continue
        nearest = connection.execute(
            "SELECT p.id, p.file, f.path, f.language, p.line FROM"
            " (SELECT rowid AS id, rank FROM words WHERE words MATCH ?"
            f"   {order} LIMIT ?) AS w"
            " JOIN passages AS p ON p.id = w.id JOIN files AS f ON f.id = p.file"
            f" WHERE f.language IN ({marks}) AND f.path != ?"
            " ORDER BY w.rank LIMIT ?",
            (question, most + SPARE, *languages, but, most),
        ).fetchall()
        for number, file, path, language, line in nearest:
            if number not in seen:
                seen.add(number)
                yield excerpt(path, language, line, _pieces(connection, file, line))


def _telling(connection: sqlite3.Connection, names: Iterable[str]) -> Iterator[str]:
    """The rarest of the names that some window has, as FTS5 wants them quoted."""
    counted: list[tuple[int, str]] = []
    for name in islice(names, MOST_WORDS):
        quoted = _quoted(name)
        (count,) = connection.execute(
            "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)",
            (quoted, MOST_WITH_WORD + 1),
        ).fetchone()
        if 0 < count <= MOST_WITH_WORD:
            counted.append((count, quoted))
    room = MOST_MATCHES
    for count, quoted in sorted(counted):
        if (room := room - count) < 0:
            break
        yield quoted


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', ""))


def _pieces(connection: sqlite3.Connection, file: int, line: int) -> list[str]:
    """The passages that are shown of a window."""
    rows = connection.execute(
        "SELECT text FROM passages WHERE file = ? AND line >= ? AND line < ? ORDER BY line",
        (file, line, line + SHOWN * LINES),
    )
    return [unpacked(text) for (text,) in rows]
