"""Repetition: text that says the same again and again, also with a counter or one changed token.

Of what is repeated, the first round stays. In lines, rounds of up to four of them, or twelve that
are word for word the same; inside a line, rounds of a few tokens up to its end.
"""

import copy
import re
from collections.abc import Callable, Sequence

from .sentences import said_once
from .stops import StopRule

LONGEST_CYCLE_LINES = 4
LONGEST_SAME_LINES = 12  # of a cycle that is word for word the same
LONGEST_CYCLE_PIECES = 16
ROUNDS_IN_LINE = 5  # of the same pieces up to the end of a line
ENDLESS_LINES = 4  # that are a circle's later rounds: what follows is known
ALPHANUMERIC = re.compile(r"\w")
LETTER = re.compile(r"[^\W\d_]")
PIECE = re.compile(r"\d+|[^\W\d]+|\s+|[^\w\s]")
NUMBER = re.compile(r"\d+")
SENTENCE_END = re.compile(r"[.!?]")
QUOTES = ("'", '"')
DATA = re.compile(r"[\d\s.,;-]*")  # numbers in a row are no circle
RULER = re.compile(r"[-=|:+*#~_.\s]*")
DANGLING = re.compile(r"(?:[\s+\-*/,&|.<=]|(?<=[\s=-])>)+\Z")  # no tag loses its end

Similar = Callable[[str, str], bool]


def circle(lines: Sequence[str]) -> int:
    """How many lines to keep so that what is repeated to the end is said once."""
    for similar, longest, rounds, pattern, least in _KINDS:
        for cycle in range(1, longest + 1):
            start = _start(lines, cycle, similar)
            said = lines[start - cycle : start] if start >= cycle else []
            wanted = rounds if cycle <= LONGEST_CYCLE_LINES else 2
            if cycle + len(lines) - start >= wanted * cycle and _count(said, pattern) >= least:
                return start
    return len(lines)


def perhaps_circle(lines: Sequence[str]) -> int:
    """How many lines to keep so that `circle` could not take one of them later."""
    return min(
        _start(lines, cycle, similar)
        for similar, longest, *_ in _KINDS
        for cycle in range(1, longest + 1)
    )


def has_words(lines: Sequence[str]) -> bool:
    return _count(lines, ALPHANUMERIC) >= 4


def _count(lines: Sequence[str], pattern: re.Pattern[str]) -> int:
    return sum(len(pattern.findall(line)) for line in lines)


def inner_circle(line: str, rounds: int = ROUNDS_IN_LINE) -> int:
    """How many characters to keep so that what `line` repeats to its end is said once."""
    pieces = PIECE.findall(line)
    shapes = [NUMBER.sub("0", piece) for piece in pieces]
    for at in range(1, len(pieces) - 1):  # letters in quotes are counted through, too
        if len(pieces[at]) == 1 and pieces[at - 1] == pieces[at + 1] and pieces[at - 1] in QUOTES:
            shapes[at] = "0"
    for compared, times in ((pieces, rounds), (shapes, rounds + 2)):
        for cycle in range(2, min(LONGEST_CYCLE_PIECES, len(pieces) // (times - 1)) + 1):
            start = _start(compared, cycle, str.__eq__)
            unit = "".join(pieces[start - cycle : start])
            worth = not DATA.fullmatch(unit) and not RULER.fullmatch(unit)
            if worth and len(pieces) - start > (times - 2) * cycle:  # the last one has begun
                return len(DANGLING.sub("", "".join(pieces[:start])))
    return len(line)


class Endless:
    """A stop rule that also ends what goes in circles, or after a line that nothing can follow."""

    def __init__(self, rule: StopRule, decided: Callable[[str], bool]) -> None:
        """`decided`: whether of a text of whole lines no more will be shown, whatever comes."""
        self._rule = rule
        self._decided = decided
        self._text = ""

    def feed(self, text: str) -> tuple[str, bool]:
        kept, over = self._rule.feed(text)
        self._text += kept
        if over or not kept:
            return kept, over
        last = self._text[self._text.rfind("\n") + 1 :]
        if "\n" in kept and self._ends():
            return kept[: kept.rfind("\n") + 1], True  # the line that it has begun is not whole
        again = SENTENCE_END.search(kept) and said_once(self._text) < len(self._text)
        return kept, bool(again) or inner_circle(last, ROUNDS_IN_LINE + 1) < len(last)

    def __copy__(self) -> "Endless":
        other = Endless(copy.copy(self._rule), self._decided)
        other._text = self._text
        return other

    def _ends(self) -> bool:
        whole = self._text[: self._text.rfind("\n") + 1]
        lines = whole.split("\n")[:-1]
        return len(lines) - circle(lines) >= ENDLESS_LINES or self._decided(whole)


def _start(parts: Sequence[str], cycle: int, similar: Similar) -> int:
    """Where the parts begin that are, up to the end, similar to those one cycle earlier."""
    start = len(parts)
    while start > cycle and similar(parts[start - 1], parts[start - 1 - cycle]):
        start -= 1
    return start


def _counts_on(one: str, other: str) -> bool:
    return NUMBER.sub("0", one) == NUMBER.sub("0", other)


def _nearly(one: str, other: str) -> bool:
    """Whether one word or number is another, among two words at least that are the same."""
    ours, theirs = PIECE.findall(one), PIECE.findall(other)
    if len(ours) != len(theirs):
        return False
    same = [a for a, b in zip(ours, theirs, strict=True) if a == b]
    return len(ours) - len(same) <= 1 and sum(bool(LETTER.match(piece)) for piece in same) >= 2


# How lines are alike, of how many a round may be, how many rounds make a circle (of a long one, two
# do), and what must be in one, how often.
_KINDS: tuple[tuple[Similar, int, int, re.Pattern[str], int], ...] = (
    (str.__eq__, LONGEST_SAME_LINES, 3, ALPHANUMERIC, 4),
    (_counts_on, LONGEST_CYCLE_LINES, 3, LETTER, 2),
    (_nearly, LONGEST_CYCLE_LINES, 4, LETTER, 2),
)
