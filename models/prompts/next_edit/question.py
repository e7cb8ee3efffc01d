"""What a next-edit model is asked, whatever its format: to write a window of a file again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Control(str):
    """The text of a control token, in a prompt."""


Piece = str | Control


@dataclass(frozen=True, slots=True)
class RecentChange:
    """Whole lines of a file, as they were and as they are; no text of lines ends in a line feed."""

    path: str
    line: int  # the first one of `after`, counted from 0
    above: tuple[str, ...]  # lines that stand before them now, the last one nearest
    before: tuple[str, ...]
    after: tuple[str, ...]
    below: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Lines `start .. stop` of a text, counted from 0."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Question:
    """`lines` of the file at `path`, of which those at `window` are to be written again."""

    path: str
    changes: tuple[RecentChange, ...]  # the oldest first
    lines: tuple[str, ...]
    window: Rows
    original: tuple[str, ...]  # the window before the last change
    row: int  # the cursor's line
    column: int  # characters before it there

    @property
    def current(self) -> tuple[str, ...]:
        return self.lines[self.window.start : self.window.stop]


class Format(Protocol):
    """How one family of models is asked, and answers."""

    @property
    def name(self) -> str: ...

    @property
    def marks(self) -> tuple[str, ...]:
        """Texts that mean something in a prompt: a file in which one stands cannot be shown."""
        ...

    @property
    def controls(self) -> tuple[Control, ...]:
        """Control tokens of prompts; each ends an answer."""
        ...

    @property
    def opening(self) -> str:
        """What stands in an answer before the window."""
        ...

    def window(self, lines: Sequence[str], row: int) -> Rows:
        """What is written again with the cursor in line `row`."""
        ...

    def prompt(self, question: Question) -> list[Piece]: ...

    def written(self, answer: str, is_over: bool) -> tuple[str, bool]:
        """The window's text as far as an answer has come, and whether that is all of it.
        `is_over`: the answer has ended."""
        ...


def offset(lines: Sequence[str], row: int) -> int:
    """Characters before a line, in the text of all."""
    return sum(len(line) + 1 for line in lines[:row])


def joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def around(lines: Sequence[str], row: int, above: int, below: int) -> Rows:
    """Line `row` and so many lines on either side, as far as there are."""
    return Rows(max(0, row - above), min(len(lines), row + 1 + below))


def unified(change: RecentChange, context: int) -> str:
    """As a unified diff of one hunk, with so many lines of context; no file names."""
    above = change.above[-context:] if context else ()
    below = change.below[:context]
    old, new = (len(above) + len(lines) + len(below) for lines in (change.before, change.after))
    first = change.line - len(above) + 1
    return joined(
        [
            f"@@ -{first},{old} +{first},{new} @@",
            *(f" {line}" for line in above),
            *(f"-{line}" for line in change.before),
            *(f"+{line}" for line in change.after),
            *(f" {line}" for line in below),
        ]
    )
