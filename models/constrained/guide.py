"""The guide of a completion: the grammar between both sides of the cursor.

A completion is judged as the user will see it: trimmed, between what is left and right of the
cursor. Where the grammar cannot help it is left out and says why.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from ...api.report import Finish, GrammarUse
from ...api.request import GrammarMode
from ..decoding.below import inside_lines, lines_below
from ..decoding.brackets import nesting
from ..decoding.stops import OPENERS
from ..grammar.oracle import Opening, Unconstrained
from ..grammar.suffix import LINES, RightContext
from .trie import Node, Trie
from .trie_cache import Remembered

LINE_END = re.compile(r"\n")
WORD = re.compile(r"\w+|[^\w\s]")
JOINED = re.compile(r"\w\w")
BROKEN_SUFFIX = "what is right of the cursor parses only in part"
DISAGREE = "the model and the grammar disagree here"
GOES_ON = "the file does not parse before one goes on from here"


class Guide:
    """The grammar of one request, for all its candidates. Keeps count of what it did."""

    def __init__(
        self,
        opening: Opening,
        suffix: str,
        mode: GrammarMode,
        finished: Callable[[str, Finish], str],
        waited: float = 0.0,
        before: str = "",
        remembered: Remembered | None = None,
    ):
        """`finished` makes a completion's text what the user will see; `waited` for the opening,
        in seconds; `before` is the cursor's line up to it; `remembered` from the request before."""
        self.start = opening.state
        self.mode = mode
        self.remembered = remembered or Remembered()
        self._opening = opening
        self._finished = finished
        self._next = suffix[:1]
        self._inside = suffix.partition("\n")[0].strip() != ""  # a line
        self._below = [] if self._inside else lines_below(suffix)
        self._last_line = before if not suffix.strip() else None  # of the file, up to the cursor
        self._block = RightContext(opening.state, suffix, LINES, before)
        self._line = RightContext(opening.state, suffix, 0, before)
        self._ends: list[str] = []  # texts that could have ended, before which lines did not fit
        self._fitting: dict[tuple[str, bool, int], bool] = {}
        self.trie: Trie | None = None  # of what is sampled, shared by all candidates
        self._used = mode if opening.constrained else GrammarMode.OFF  # the least faithful so far
        self._reason = opening.reason
        self._counts: Counter[str] = Counter()
        self._bound = 1.0
        self._took = waited  # seconds

    @property
    def constrains(self) -> bool:
        """Whether there is anything to be guided by."""
        return not isinstance(self.start, Unconstrained)

    @property
    def use(self) -> GrammarUse:
        """What was done until now."""
        return GrammarUse(
            mode=self._used,
            reason=self._reason,
            skipped_lines=self._opening.skipped_lines,
            refused=self._counts["refused"],
            restarts=self._counts["restarts"],
            model_calls=self._counts["model_calls"],
            bound=self._bound,
            took_ms=round(self._took * 1e3, 3),
        )

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around whatever waits for the grammar."""
        began = time.perf_counter()
        yield
        self._took += time.perf_counter() - began

    def may_end(self, text: str, finish: Finish, or_lines: bool = False) -> bool:
        """Whether a completion of `text` may end so: nothing, or what fits on both sides;
        `or_lines`: or whose start does, up to where it says the lines below or most of it in whole
        lines, where all of it is whole and only the lines below refuse it."""
        text = self._finished(text, finish)
        if not text:
            return True
        one_line = finish is Finish.LINES and "\n" not in text
        fits = self._fits_at(text, self._line if one_line else self._block)
        if fits or (one_line and self._opens_block(text)) or self._ends_block(text, finish):
            return True
        if or_lines and not one_line:
            whole = not nesting(text).inside and self._fits_at(text, self._line)
            if whole and self._start_of(text) is not None:
                return True
        return self._end_in_vain(text) is not None

    def enough(self, text: str) -> bool:
        """Whether a completion that could end with `text` should: the lines below can follow it, or
        there are none, or more is on the cursor's line, before which only one line can stand. If it
        goes on and nothing better comes, it is shown up to there."""
        with self.waiting():
            text = self._finished(text, Finish.LINES)
            alone = self._last_line is not None or self._inside
            if not text or alone or self._fits_at(text, self._block):
                return True
            self._ends.append(text)
            return False

    def follows(self, text: str) -> bool:
        """Whether the code below can follow a completion of `text`."""
        with self.waiting():
            text = self._finished(text, Finish.LINES)
            fits = not text or self._inside or self._fits_at(text, self._block)
            return fits or self._ends_block(text, Finish.LINES)

    def ends(self, text: str) -> tuple[int, ...]:
        """Behind which lines of a `text` that is shown it could end, and the code below follow."""
        with self.waiting():
            return tuple(end for end in _line_ends(text)[::-1] if self._could_end(text[:end]))

    def _could_end(self, text: str) -> bool:
        opens = self._opens_block(text) or self._ends_block(text, Finish.LINES)
        return opens or self._fits_at(text, self._block)

    def _opens_block(self, text: str) -> bool:
        """Whether a line begins something at the end of the file, where one goes on from there."""
        line = self._last_line
        return line is not None and text != "" and OPENERS.search(line + text) is not None

    def _ends_block(self, text: str, finish: Finish) -> bool:
        """Whether whole lines stand at the end of the file, where one goes on from there: what
        was open before the cursor's line need not be closed by them."""
        line = self._last_line
        at_end = line is not None and not OPENERS.search(line) and finish is Finish.LINES
        return at_end and not nesting(text).inside and self._parses(text)

    def kept(self, text: str) -> str:
        """What is shown of a finished completion that was let end: all of it, or its start."""
        with self.waiting():
            fits = self._fits_at(text, self._block)
            start = text if fits else self._start_of(text) or self._end_in_vain(text)
            return self._shown(text, start)

    def longest(self, text: str) -> str:
        """The longest start of a `text` cut short that fits: whole lines if any do, else the most
        words of its first line if that is most of it. All of it if nothing fits."""
        with self.waiting():
            return self._shown(text, next(self._starts(text), None) or self._end_in_vain(text))

    def _shown(self, text: str, start: str | None) -> str:
        """The `start` that fits, or all of the `text`; notes if it takes more to make it parse."""
        if start is None or (self._block.relaxed and self._last_line is not None):
            state = self.start.feed((start or text).encode("utf-8", "replace"))
            if start is None or state is None or not state.can_finish():
                self._reason = self._reason or GOES_ON
        return text if start is None else start

    def lasting(self, lines: str) -> str:
        """The most of whole `lines` that no cut of a completion which goes on will take away."""
        with self.waiting():
            starts = (lines[:end] for end in (len(lines), *_line_ends(lines)))
            return next((start for start in starts if self._fits_at(start, self._block)), "")

    def may_be_cut(self, text: str) -> bool:
        """Whether any start of a completion that the limit cuts short fits, or its lines may stand
        at the end of the file, where one goes on from there."""
        text = self._finished(text, Finish.TOKENS)
        goes_on = self._last_line is not None and "\n" in text
        return goes_on or next(self._starts(text), None) is not None

    def _starts(self, text: str) -> Iterator[str]:
        """The starts of `text` that fit, best first."""
        words = [match.end() for match in WORD.finditer(text.partition("\n")[0])][::-1]
        lines = _line_ends(text)
        lines += [end - 1 for end in lines if text[end - 1] in ",;"]  # wanted by what isn't there
        ends = [len(text), *lines, *(end for end in words if 2 * end >= len(text))]
        for end in ends:
            joined = JOINED.match(text[end - 1 : end] + self._next)
            if not joined and self._fits_at(text[:end], self._block):
                yield text[:end]

    def _start_of(self, text: str) -> str | None:
        """The most of `text` that fits: up to where it says the lines below, or whole lines, if
        they are at least half of it."""
        ends = [end for end in _line_ends(text) if 2 * end >= len(text)]
        ends += (len(text[:at].rstrip()) for at in inside_lines(text, self._below))
        starts = (text[:end] for end in sorted(ends, reverse=True))
        return next((start for start in starts if self._fits_at(start, self._block)), None)

    def _end_in_vain(self, text: str) -> str | None:
        """Of a `text` that went on for the lines below, in vain: the most lines that they can
        follow, or where it could have ended first, had they not been looked at."""
        ends = [end for end in self._ends if _is_line_end(text, end)]
        if not ends:
            return None
        starts = (text[:end] for end in _line_ends(text))
        fitting = next((start for start in starts if self._fits_at(start, self._block)), None)
        return fitting or next((end for end in ends if self._fits_at(end, self._line)), None)

    def _parses(self, text: str) -> bool:
        """Whether `text` may follow what is left of it, whatever comes then."""
        return self.start.feed(text.encode("utf-8", "replace")) is not None

    def _fits_at(self, text: str, right: RightContext) -> bool:
        """Whether `text` fits before as much of the suffix as `right` reads."""
        known = (text, right is self._line, right.trusted)
        if known not in self._fitting:  # a dozen tokens end a line with the same text
            state = self.start.feed(text.encode("utf-8", "replace"))
            self._fitting[known] = state is not None and right.fits(state)
        if right.relaxed and self._last_line is None and not self._reason:
            self._reason = BROKEN_SUFFIX
        return self._fitting[known]

    def count(self, **more: int) -> None:
        """Add to what `use` counts."""
        self._counts.update(more)

    def sampled(self, mode: GrammarMode, bound: float) -> None:
        """Note how a candidate was drawn."""
        self._used = max(self._used, mode, key=list(GrammarMode).index)
        self._bound = bound

    def disagree(self, node: Node) -> None:
        """Nothing grammatical was found that the model likes: constrain nothing from `node` on."""
        assert self.trie is not None, "there is a search to be given up"
        self.start = Unconstrained(DISAGREE)
        self._fitting.clear()  # what did not fit may end a completion now
        self._used, self._reason = GrammarMode.OFF, DISAGREE
        self.trie.release(node, replace(node.state, state=self.start))


def _is_line_end(text: str, start: str) -> bool:
    """Whether one of the lines of `text`, but not the last, ends with its `start`."""
    return text.startswith(start) and text[len(start) :].lstrip(" \t").startswith("\n")


def _line_ends(text: str) -> list[int]:
    """Where the lines of `text` but the last end, the last of them first; no blank line's."""
    ends = [match.start() for match in LINE_END.finditer(text)][::-1]
    return [end for end in ends if text[text.rfind("\n", 0, end) + 1 : end].strip()]
