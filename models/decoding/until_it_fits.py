"""A stop rule that lets the code below the cursor decide: a completion after which it cannot follow
goes on, line by line, until it can.
"""

import copy
from collections.abc import Callable

from .stops import StopRule

MOST_LINES = 12  # more than the rule alone would have taken


class UntilItFits:
    """Ends where `rule` does if the text `fits` there, else at the first line end where it does.

    `fits` is asked about a text that could be the whole completion. Where no end is found within
    some lines, the completion ends all the same: its start may still be of use.
    """

    def __init__(self, rule: StopRule, fits: Callable[[str], bool]) -> None:
        self._rule = rule
        self._fits = fits
        self._said = ""  # all that was fed
        self._kept = 0  # characters of it that were given back as kept
        self._judged = -1  # where the last line ended that `fits` was asked about; -1: none
        self._lines = 0  # so judged

    def feed(self, text: str) -> tuple[str, bool]:
        self._said += text
        if self._judged >= 0:
            return self._next_lines()
        kept, over = self._rule.feed(text)
        follows = self._said.startswith(kept, self._kept)  # not where a whole line is put above
        self._kept += len(kept)
        if not over or not follows or self._fits(self._said[: self._kept]):
            return kept, over
        self._judged = self._kept
        more, over = self._next_lines()
        return kept + more, over

    def _next_lines(self) -> tuple[str, bool]:
        """What may be kept of the lines behind: all but blanks at their end."""
        start = self._kept
        while (end := self._line_end()) is not None:
            self._kept = self._judged = end
            self._lines += 1
            if self._lines >= MOST_LINES or self._fits(self._said[:end]):
                return self._said[start:end], True
        self._kept = max(self._kept, len(self._said.rstrip()))
        return self._said[start : self._kept], False

    def _line_end(self) -> int | None:
        """Where the line ends that comes after the one judged last and is not blank."""
        said, begun = self._said, self._judged
        while begun < len(said) and said[begun].isspace():
            begun += 1
        end = said.find("\n", begun)
        return None if end < 0 else len(said[:end].rstrip())

    def __copy__(self) -> "UntilItFits":
        other = UntilItFits.__new__(UntilItFits)
        other.__dict__.update(self.__dict__, _rule=copy.copy(self._rule))
        return other
