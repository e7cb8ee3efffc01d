"""The text left of the cursor, read line by line and kept, so that an edit costs what it changed.

`LeftContext` owns one file's checkpoints: the parse state at the start of every line. Opening the
file again resumes from the last line that is still as it was; when the states meet the old ones
again behind an edit, the rest is taken over unread.

Lines that the grammar cannot read (half-typed code, macros, merge markers) are dropped so that
what follows can be read; where an earlier line is to blame, that one is dropped instead. If what
was dropped makes the state at the cursor doubtful, the file is completed without a grammar.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise

from ..oracle import Opening, State, Unconstrained
from ..overlap import common_prefix, common_suffix
from .automaton import Automaton
from .parsing import ParseState

MAX_CHARACTERS = 2_000_000
BLAME_LINES = 12  # how far back an unreadable line's cause is looked for
AHEAD_LINES = 3  # lines that must read well after a repair, as far as there are any
NEAR_LINES = 3  # a dropped line this close above the cursor makes its state doubtful
MISFIT_SHARE, MISFIT_LINES = 0.1, 4  # more dropped than this: the grammar doesn't fit the file
BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Before the line that starts at `offset`."""

    offset: int
    state: ParseState
    depends: int  # the state rests on the text up to here, at most
    dropped: int = 0  # lines dropped so far
    last_dropped: int = -1  # number of the last one
    balance: int = 0  # brackets opened minus closed in dropped lines


class LeftContext:
    """The left context of one file under one grammar. Has one owner; not thread-safe."""

    def __init__(self, automaton: Automaton, brackets_matter: bool = True):
        """`brackets_matter`: brackets lost with a dropped line are missed later on."""
        self._start = ParseState.start(automaton)
        self._brackets_matter = brackets_matter
        self._text = ""
        self._marks = [Checkpoint(0, self._start, 0)]

    def open(self, left: str) -> Opening:
        """The state at the end of `left`."""
        left = left.removeprefix("\ufeff")
        if len(left) > MAX_CHARACTERS:
            return _unconstrained(f"the file has more than {MAX_CHARACTERS:,} characters")
        self._read_lines(left)
        mark = self._marks[-1]
        doubt = self._doubt(mark)
        if doubt:
            return _unconstrained(doubt, mark.dropped)
        state: State | None = mark.state
        if mark.offset < len(left):
            state = mark.state.read(left[mark.offset :])
        if isinstance(state, ParseState):
            state = state.settled()
        if state is None:
            return _unconstrained(
                "the line at the cursor does not parse as it stands", mark.dropped
            )
        if isinstance(state, Unconstrained):
            return _unconstrained(state.reason, mark.dropped)
        return Opening(state, True, _skipped(mark.dropped), mark.dropped)

    # region reading lines

    def _read_lines(self, left: str) -> None:
        old_text, old_marks = self._text, self._marks
        shared = common_prefix(old_text, left)
        kept = bisect_right(old_marks, shared, key=lambda mark: mark.offset)
        while old_marks[kept - 1].depends > shared:
            kept -= 1
        marks = old_marks[:kept]
        tail = common_suffix(old_text, left, limit=min(len(old_text), len(left)) - shared)
        old_at = {mark.offset: index for index, mark in enumerate(old_marks)}
        shift = len(left) - len(old_text)
        self._text, self._marks = left, marks
        while (end := left.find("\n", marks[-1].offset) + 1) > 0:
            mark = marks[-1]
            line = old_at.get(mark.offset - shift) if mark.offset >= len(left) - tail else None
            if line is not None and self._take_over(old_marks, line, shift):
                continue
            state = mark.state.read(left[mark.offset : end])
            if isinstance(state, ParseState):
                marks.append(replace(mark, offset=end, state=state, depends=max(mark.depends, end)))
            else:
                self._repair(end)

    def _take_over(self, old: list[Checkpoint], line: int, shift: int) -> bool:
        """Reuse the old checkpoints behind old line `line` if both parses have met there."""
        mark, first = self._marks[-1], old[line]
        if (mark.dropped, mark.balance) != (first.dropped, first.balance):
            return False
        if line == len(old) - 1 or not mark.state.same(first.state):
            return False
        soon = old[min(line + BLAME_LINES + 1, len(old) - 1)]
        if soon.dropped != first.dropped:  # the blame may have fallen on what was edited
            return False
        lines = len(self._marks) - 1 - line  # that the edit added above
        self._marks += [
            replace(
                later,
                offset=later.offset + shift,
                depends=later.depends + shift,
                last_dropped=later.last_dropped + lines if later.dropped else -1,
            )
            for later in old[line + 1 :]
        ]
        return True

    def _repair(self, end: int) -> None:
        """The line that ends at `end` can't be read: drop it, or the earlier ones to blame."""
        marks, left = self._marks, self._text
        ends = [end]
        while len(ends) <= AHEAD_LINES and (after := left.find("\n", ends[-1]) + 1):
            ends.append(after)
        # With fewer lines to look ahead at, the choice rests on where the text ends.
        depends = ends[-1] if len(ends) > AHEAD_LINES else len(left) + 1
        starts = [marks[-1].offset, *ends]
        best, best_read = 0, -1
        for back in range(min(BLAME_LINES, len(marks) - 1) + 1):
            first = 1 if back == 0 else 0  # dropping earlier lines keeps this one
            read = _lines_read(marks[-1 - back].state, left, starts[first:])
            if read > best_read:
                best, best_read = back, read
            if read == len(starts) - 1 - first:
                break
        if best:
            line_end = marks[-1].offset
            self._drop(len(marks) - 1 - best, line_end, depends)
        else:
            self._drop(len(marks) - 1, end, depends)

    def _drop(self, first: int, end: int, depends: int) -> None:
        """Leave out the lines from checkpoint `first` up to offset `end`."""
        marks, left = self._marks, self._text
        ground = marks[first]
        offsets = [mark.offset for mark in marks[first + 1 :]]
        if not offsets or offsets[-1] < end:
            offsets.append(end)
        del marks[first + 1 :]
        balance, start = ground.balance, ground.offset
        for count, offset in enumerate(offsets, 1):
            balance += sum(BRACKETS.get(c, 0) for c in left[start:offset])
            start = offset
            marks.append(
                Checkpoint(
                    offset,
                    ground.state,
                    max(depends, ground.depends),
                    ground.dropped + count,
                    len(marks) - 1,
                    balance,
                )
            )

    # endregion

    def _doubt(self, mark: Checkpoint) -> str:
        """Why the state at the cursor can't be relied on; empty if it can."""
        lines = len(self._marks) - 1
        if not mark.dropped:
            return ""
        if lines - mark.last_dropped <= NEAR_LINES:
            return "the code just above the cursor does not parse"
        if mark.dropped >= MISFIT_LINES and mark.dropped > MISFIT_SHARE * lines:
            return "the grammar does not fit this file"
        if self._brackets_matter and mark.balance:
            return "brackets do not match above the cursor"
        if not self._left_block(mark.last_dropped):
            return "code in this block does not parse"
        return ""

    def _left_block(self, dropped: int) -> bool:
        """Whether the text has left the block that a dropped line was in, or its line at least.

        By the layout that people give code in any language: a later line stands further left, or
        both stand at the margin.
        """
        starts = [mark.offset for mark in self._marks[dropped:]]
        depths = [_depth(self._text[start:end]) for start, end in pairwise(starts)]
        lost, *later = depths
        return lost is None or any(
            depth is not None and (depth < lost or depth == 0) for depth in later
        )


def _depth(line: str) -> int | None:
    """Characters of indentation; None for a line that begins nothing: blank, or just closing."""
    code = line.lstrip()
    return len(line) - len(code) if code and code[0] not in ")]}" else None


def _lines_read(state: ParseState, left: str, edges: list[int]) -> int:
    """How many of the lines between `edges` can be read in a row."""
    for count, (start, end) in enumerate(pairwise(edges)):
        after = state.read(left[start:end])
        if not isinstance(after, ParseState):
            return count
        state = after
    return max(0, len(edges) - 1)


def _unconstrained(reason: str, dropped: int = 0) -> Opening:
    return Opening(Unconstrained(reason), False, reason, dropped)


def _skipped(lines: int) -> str:
    return f"{lines} unreadable line{'s' * (lines > 1)} skipped" if lines else ""
