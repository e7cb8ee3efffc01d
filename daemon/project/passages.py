"""Passages: a file's text in pieces of a few lines, by which code that is alike is found.

A window of two passages is compared, and what is shown of one that is alike goes on for one passage
more: what follows there is what a model may want to write here (RepoCoder, arXiv 2303.12570,
section 2.2; what it is worth to us: docs/decisions/project.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .words import names_in

LINES = 5
COMPARED = 2  # passages
SHOWN = 3
MOST = 2_000  # of a file
MOST_COLUMNS = 200  # of a line; what has longer ones was written by no hand


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines of a file as written. `names`: those in the lines that are compared."""

    path: str
    language: str
    line: int  # from 0
    text: str
    names: frozenset[str]


def passages(text: str) -> list[str]:
    lines = [line[:MOST_COLUMNS] for line in text.split("\n", LINES * MOST)[: LINES * MOST]]
    return ["\n".join(lines[at : at + LINES]) for at in range(0, len(lines), LINES)]


def windows(pieces: Sequence[str]) -> Iterator[dict[str, None]]:
    """The names in the window that begins with each passage."""
    for at in range(len(pieces)):
        yield names_in("\n".join(pieces[at : at + COMPARED]))


def excerpt(path: str, language: str, line: int, pieces: Sequence[str]) -> Excerpt:
    """What is shown of the passages from one on, which begins in `line`."""
    names = frozenset(names_in("\n".join(pieces[:COMPARED])))
    return Excerpt(path, language, line, "\n".join(pieces[:SHOWN]), names)
