"""A case: a cursor before or in a call of something that another file of the package defines."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PREFIX_CHARACTERS, SUFFIX_CHARACTERS = 4000, 1200
MOST_FILES = 400  # of a package
MOST_FILE_BYTES = 60_000
LEAST_LINE = 15  # above it there is little of the file


@dataclass(frozen=True)
class Definition:
    """A symbol as another file of the package defines it."""

    name: str
    path: str
    source: str


@dataclass(frozen=True)
class Case:
    package: str
    folder: Path  # which paths are relative to: the one that the package's is in
    path: str
    language: str
    line: int
    kind: str  # "line" or "arguments"
    before: str  # the file's text up to the cursor
    after: str  # … and from the end of the cursor's line
    wanted: str
    callee: str
    definitions: tuple[Definition, ...]  # the callee's last

    @property
    def id(self) -> str:
        return f"{self.path}:{self.line}:{self.kind}"

    @property
    def prefix(self) -> str:
        """What every prompt shows of the text before the cursor."""
        return self.before[-PREFIX_CHARACTERS:]

    @property
    def suffix(self) -> str:
        return self.after[:SUFFIX_CHARACTERS]


def in_turns(streams: list[Iterator[Case]], most: int) -> Iterator[Case]:
    """Up to `most` cases, one of each stream after the other until all have ended."""
    streams = list(streams)
    while streams and most > 0:
        for stream in list(streams):
            case = next(stream, None)
            if case is None:
                streams.remove(stream)
            elif most > 0:
                most -= 1
                yield case


def cut(
    text: str, number: int, callee: str, draw: random.Random
) -> tuple[str, str, str, str] | None:
    """Kind, text before and after the cursor, and what is wanted there, for a call in a line."""
    lines = text.split("\n")
    line = lines[number]
    kind = draw.choice(["line", "arguments"])
    column = len(line) - len(line.lstrip())
    if kind == "arguments":
        column = line.index(callee + "(") + len(callee) + 1 if callee + "(" in line else 0
    if column <= 0 or not any(map(str.isalnum, line[column:])):  # brackets alone tell nothing
        return None
    before = "\n".join([*lines[:number], line[:column]])
    return kind, before, "\n".join(["", *lines[number + 1 :]]), line[column:]
