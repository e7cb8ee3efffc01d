"""How likely a suggestion is to be what will be written, from wherever one has come to in it."""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import takewhile

from .bounds import Offset, Share, Shift, Slope

CERTAIN = 1e-6
MOST_LOG_ODDS = 500.0


@dataclass(frozen=True, slots=True)
class Correction:
    """What a user's own acceptance says of estimates, in logarithms of the odds: it multiplies them
    by `slope` and adds `shift`."""

    slope: Slope = 1.0
    shift: Shift = 0.0

    def of(self, likely: float) -> float:
        """The probability, corrected."""
        return probability(self.slope * log_odds(likely) + self.shift)


def probability(log_odds: float) -> float:
    """Of odds whose logarithm that is."""
    return 1.0 / (1.0 + math.exp(-max(-MOST_LOG_ODDS, min(MOST_LOG_ODDS, log_odds))))


def log_odds(likely: float) -> float:
    """The logarithm of a probability's odds, which is finite."""
    within = min(max(likely, CERTAIN), 1.0 - CERTAIN)
    return math.log(within / (1.0 - within))


@dataclass(frozen=True, slots=True)
class Confidence:
    """If the text is right up to character `starts[i]`, where one of its tokens begins, then what
    follows, up to the end of its line, is right with a probability of `rests[i]`, corrected."""

    starts: tuple[Offset, ...]  # ascending, the first is 0
    rests: tuple[Share, ...]
    correction: Correction = Correction()
    ends: tuple[Offset, ...] | None = None  # of lines, behind which it may be cut; None: anywhere

    def __post_init__(self) -> None:
        """Raises `ValueError` for what comes from outside and is no confidence."""
        if not self.rests or len(self.starts) != len(self.rests):
            raise ValueError(f"{len(self.rests)} probabilities for {len(self.starts)} places")

    def rest(self, offset: int) -> float:
        """Of the rest of the line that character `offset` is on."""
        return self.correction.of(self.rests[max(0, bisect_right(self.starts, offset) - 1)])

    def after(self, count: int) -> "Confidence":
        """Of the text without its first `count` characters, which were right."""
        first = max(0, bisect_right(self.starts, count) - 1)
        starts = tuple(max(0, start - count) for start in self.starts[first:])
        ends = self.ends and tuple(end - count for end in self.ends if end > count)
        return Confidence(starts, self.rests[first:], self.correction, ends)

    def uncorrected(self) -> "Confidence":
        """As it was estimated."""
        return replace(self, correction=Correction())

    def lines(self, text: str) -> Iterator[tuple[int, float]]:
        """Where each line of `text` ends that is not blank, and how likely it is right if those
        above it are."""
        start = 0
        for line in text.split("\n"):
            if line.strip():
                yield start + len(line.rstrip("\r")), self.rest(start)
            start += len(line) + 1

    def first_line(self, text: str) -> float:
        """Of the first line of `text` that is not blank."""
        return next((likely for _, likely in self.lines(text)), 0.0)

    def whole(self, text: str) -> float:
        """Of all of `text`."""
        likely = 1.0
        for _, line in self.lines(text):
            likely *= line
        return likely

    def worth(self, text: str, least: float) -> str:
        """The lines of `text` before the first that is less likely than `least`: as many of them as
        it may end behind. If it may end behind none of them, as many more as it takes."""
        lines = list(self.lines(text))
        likely = list(takewhile(lambda line: line[1] >= least, lines))
        if not likely or len(likely) == len(lines) or self.ends is None:
            return text[: likely[-1][0]] if likely else ""
        ends = [each for each in self.ends if each < lines[-1][0]] + [lines[-1][0]]
        return text[: max((each for each in ends if each <= likely[-1][0]), default=min(ends))]

    def with_first_line(self, text: str, likely: float) -> "Confidence":
        """With another probability for all of the first line of `text` that is not blank."""
        start = text[: len(text) - len(text.lstrip())].rfind("\n") + 1
        first = max(0, bisect_right(self.starts, start) - 1)
        return replace(self, rests=(*self.rests[:first], likely, *self.rests[first + 1 :]))
