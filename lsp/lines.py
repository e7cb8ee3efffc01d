"""The starts of the lines of a text, kept up to date edit by edit.

Only `\\n`, `\\r\\n` and `\\r` end a line, as the language server protocol has it; `str.splitlines`
also breaks at form feeds, U+0085, U+2028 and others, and every later position would be wrong.

An edit moves all the starts behind it. Instead of rewriting them, those behind a *seam* are stored
without the sum of the shifts so far (`_shift`), and the seam follows the edits: the cost of an
edit is its distance from the one before, not the length of the file.
"""

import re
from bisect import bisect_right

_TERMINATOR = re.compile(r"\r\n|\n|\r")


class LineStarts:
    """Offsets, in code points, of the first character of every line. Always holds line 0."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _TERMINATOR.finditer(text))]
        self._seam = len(self._starts)  # starts from here on are stored less `_shift`
        self._shift = 0

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, line: int) -> int:
        start = self._starts[line]
        return start + self._shift if line >= self._seam else start

    def line_of(self, offset: int) -> int:
        """The line that holds `offset`."""
        if self._seam < len(self._starts) and offset >= self[self._seam]:
            return bisect_right(self._starts, offset - self._shift, lo=self._seam) - 1
        return bisect_right(self._starts, offset, hi=self._seam) - 1

    def replace(self, start: int, end: int, inserted: int, text: str) -> None:
        """Follow the edit that replaced `[start, end)` by `inserted` characters, giving `text`.

        The line before the edit is looked at again too: an edit can join a `\\r` to a `\\n` or
        part them.
        """
        first = max(0, self.line_of(start) - 1)
        last = self.line_of(end)
        shift = inserted - (end - start)
        begin = self[first]
        stop = self[last + 1] + shift if last + 1 < len(self) else len(text)
        self._move_seam(last + 1)
        fresh = [match.end() for match in _TERMINATOR.finditer(text, begin, stop)]
        if fresh and last + 1 < len(self) and fresh[-1] == stop:
            fresh.pop()  # already known: it is the first line behind the edit
        self._starts[first + 1 : last + 1] = fresh
        self._seam = first + 1 + len(fresh)
        self._shift += shift

    def _move_seam(self, line: int) -> None:
        if line < self._seam:
            moved = [start - self._shift for start in self._starts[line : self._seam]]
            self._starts[line : self._seam] = moved
        else:
            moved = [start + self._shift for start in self._starts[self._seam : line]]
            self._starts[self._seam : line] = moved
        self._seam = line
