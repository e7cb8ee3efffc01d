"""Stop rules: where a completion ends, judged by its text alone, after one line or with its block.

A rule is fed the text as it is generated and answers with what may be kept. Kept text is never
taken back, so a rule holds back line breaks until it knows what follows them.
"""

import copy
import re
from typing import Protocol

from ...api.request import Extent
from .brackets import COMMENTS, OUTSIDE, Nesting, nesting

TAB_COLUMNS = 4
OPENERS = re.compile(r"(?:[:{]|=>|->|\b(?:do|then|else|begin|try))\s*\Z")
LEAVES_OPEN = re.compile(rf"(?:[(\[]|{OPENERS.pattern})\s*\Z")
MOST_BLANK_LINES = 12  # in a row: the model is not coming back to code
LOOK_BACK_CHARACTERS = 20_000  # to know whether the cursor is inside a triple-quoted string


class StopRule(Protocol):
    def feed(self, text: str) -> tuple[str, bool]:
        """Take what was generated next; what may be kept of it now, and whether to end here."""
        ...


class Anything:
    """Ends nothing."""

    def feed(self, text: str) -> tuple[str, bool]:
        return text, False


class SingleLine:
    """Ends before the first line break, or after it when a whole line is put above another."""

    def __init__(self, before: str, rest: str) -> None:
        """`before` and `rest` are what the cursor's line has on either side of it."""
        self._indent = before if rest.strip() and not before.strip() else None
        self._blank = True

    def feed(self, text: str) -> tuple[str, bool]:
        line, newline, _ = text.partition("\n")
        self._blank = self._blank and not line.strip()
        if newline and self._indent is not None and not self._blank:
            return f"{line}\n{self._indent}", True
        return line, bool(newline)


class LineAndBlock:
    """Ends as a single line, or, if that opens a block or leaves a bracket open, with the block."""

    def __init__(self, before: str, start: Nesting, comments: tuple[str, ...]) -> None:
        """See `Block`."""
        self._line = before
        self._block = Block(before, start, comments)
        self._opened = False

    def feed(self, text: str) -> tuple[str, bool]:
        if self._opened:
            return self._block.feed(text)
        line, newline, _ = text.partition("\n")
        self._line += line
        self._opened = bool(newline) and LEAVES_OPEN.search(self._line) is not None
        if newline and not self._opened:
            return line, True
        return self._block.feed(text)

    def __copy__(self) -> "LineAndBlock":
        other = LineAndBlock.__new__(LineAndBlock)
        other.__dict__.update(self.__dict__, _block=copy.copy(self._block))
        return other


class Block:
    """Ends where the code goes back below the block that the cursor is in, never inside brackets
    or triple quotes that the completion itself opened. At the top level a blank line ends it."""

    def __init__(
        self, before: str, start: Nesting = OUTSIDE, comments: tuple[str, ...] = COMMENTS
    ) -> None:
        """`before` is the cursor's line up to the cursor; `start` the string open there."""
        self._comments = comments
        self._nesting = start
        self._line = before
        self._new = ""  # the part of the line that was generated
        self._held = ""  # line breaks and indentation not yet kept
        self._opener: int | None = None  # columns of the line that opens the block
        self._floor: int | None = None  # columns below which the block has ended
        self._least = columns_of(before)
        self._gap = False  # whether the last line was blank
        self._closing = False  # whether this line closes the block
        if before.strip():
            self._opener = columns_of(before)
            self._floor = self._opener + 1

    def feed(self, text: str) -> tuple[str, bool]:
        kept = ""
        for part in re.findall(r"\n|[^\n]+", text):
            self._new += part
            if part == "\n":
                if self._closing and not OPENERS.search(self._line):
                    return kept, True
                self._end_line()
                if self._held.count("\n") > MOST_BLANK_LINES:
                    return kept, True
            elif self._line.strip():
                kept += self._held + part
                self._line, self._held = self._line + part, ""
            else:
                self._line, self._held = self._line + part, self._held + part
                if not part.strip():
                    continue
                if self._ends_before(self._line):
                    return kept, True
                kept, self._held = kept + self._held, ""
        return kept, False

    def _end_line(self) -> None:
        self._nesting = nesting(self._new, self._nesting, self._comments)
        self._gap = not self._line.strip()
        self._line, self._new, self._closing = "", "", False
        self._held += "\n"

    def _ends_before(self, line: str) -> bool:
        """Whether the block has ended when `line`, of which the start is known, begins."""
        columns = columns_of(line)
        if self._nesting.inside:
            return False
        if self._floor is None:  # the first line of all
            self._floor = columns
            return columns < self._least
        if columns < self._floor:
            self._closing = columns == self._opener and line.lstrip()[0] in ")]}"
            return not self._closing
        return self._gap and columns == 0


def line_feeds(text: str) -> str:
    """Generated text with the one kind of line end that rules and prompts know."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def stop_rule(extent: Extent, prefix: str, suffix: str, comments: tuple[str, ...]) -> StopRule:
    """The rule for a cursor between `prefix` and `suffix`, whose lines end in a line feed."""
    before = prefix[prefix.rfind("\n") + 1 :]
    rest = suffix.partition("\n")[0]
    opens = not before.strip() or OPENERS.search(before) is not None
    below = next((line for line in suffix.split("\n")[1:] if line.strip()), "")
    if extent is Extent.ALL:
        return Anything()
    one_line = extent in (Extent.LINE, Extent.FITTING)
    if one_line or (extent is Extent.AUTO and rest.strip()):
        return SingleLine(before, rest)
    quote = nesting(prefix[-LOOK_BACK_CHARACTERS:], comments=comments).quote
    start = Nesting(quote=quote)
    if extent is Extent.BLOCK or opens:
        return Block(before, start, comments)
    if columns_of(below) > columns_of(before):  # what the line opens is there already
        return SingleLine(before, rest)
    return LineAndBlock(before, start, comments)


def columns_of(line: str) -> int:
    """Columns of indentation."""
    expanded = line.expandtabs(TAB_COLUMNS)
    return len(expanded) - len(expanded.lstrip())
