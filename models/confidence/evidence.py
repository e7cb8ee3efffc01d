"""What speaks for the rest of a line of a suggestion, and against it: numbers that exist anyway.

A suggestion's tokens are looked at from each of them to the one with which its line ends, which may
be a line break, the model's own end, or the first token of what is not shown. What else was tried
and says nothing more is in docs/decisions/decoding.md.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate

from ...api.confidence import log_odds
from ..decoding.odds import Odds

LEAST_CHANCE = 1e-6
BLANKS = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Said:
    """One generated token: its bytes, as far as they add to the text, and its odds."""

    data: bytes
    odds: Odds


@dataclass(frozen=True, slots=True)
class Features:
    """Of the rest of a line, from one token on. Logarithms are natural."""

    likelihood: float  # log(p / (1 − p)) of what the model gives all of it
    least_lead: float  # of any of its tokens over its likeliest rival: log of their ratio
    characters: float  # log(1 + how many)

    def values(self) -> list[float]:
        """In the order of `NAMES`."""
        return [getattr(self, name) for name in NAMES]


NAMES = tuple(field.name for field in fields(Features))


@dataclass(frozen=True, slots=True)
class Step:
    """The rest of a line of a text from character `start` on, where one of its tokens begins."""

    start: int
    line: int  # number of the text's lines that are not blank, from 0
    features: Features


def steps(text: str, said: Sequence[Said]) -> Iterator[Step]:
    """From each token of a suggestion on that is shown as `text`; none of blank lines.

    What is shown begins like what was said, but for blanks.
    """
    solid = [0, *accumulate(_solid(each.data) for each in said)]  # bytes before each token
    at, goal, line, start = 0, 0, 0, 0
    for shown in text.split("\n"):
        places = _places(shown)
        if places and said:
            first, goal = goal, goal + len(places)
            end = at
            while end < len(said) and solid[end] < goal:
                end += 1
            whole = said[min(at, end - 1) : end + 1]  # with the token that ends the line
            if _ends_line(said[end - 1]):
                whole = said[min(at, end - 1) : end]
            for number in range(at, max(end, at + 1)):
                within = 0 if number == at else places[max(0, solid[number] - first)]
                features = _features(whole[number - at :], shown[within:])
                yield Step(start + within, line, features)
            at = end + (end < len(said) and not _solid(said[end].data))
            line += 1
        start += len(shown) + 1


def _features(rest: Sequence[Said], shown: str) -> Features:
    odds = [each.odds for each in rest]
    chances = [_log(each.chance) for each in odds]
    rivals = [_log(each.rival) for each in odds]
    return Features(
        likelihood=log_odds(math.exp(sum(chances))),
        least_lead=min(a - b for a, b in zip(chances, rivals, strict=True)),
        characters=math.log1p(len(shown.strip())),
    )


def _places(line: str) -> list[int]:
    """The characters of a line that are not blank, each as often as it has bytes."""
    return [
        at
        for at, character in enumerate(line)
        if character not in BLANKS
        for _ in character.encode("utf-8", "replace")
    ]


def _solid(data: bytes) -> int:
    """How many bytes are not blank."""
    return len(data.translate(None, BLANKS.encode()))


def _ends_line(token: Said) -> bool:
    """Whether a line break is the last that a token says."""
    return b"\n" in token.data[len(token.data.rstrip()) :]


def _log(chance: float) -> float:
    return math.log(max(chance, LEAST_CHANCE))
