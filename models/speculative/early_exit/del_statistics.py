"""DEL's decisions in plain numbers: which exit, how many tokens, and when to stop a draft early.

For every exit it is known, after each verification, whether it would have said what the model said
(a shadow token) and how sure it was. From decayed counts of that come an acceptance rate per exit,
the tokens per cost that each exit and length promise (TPL), and a confidence threshold.
Source: DEL (arXiv 2504.05598), section 3; the constants are its release's.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DelRules:
    """`decay` is per round. `rests`: do not draft where plain decoding promises more, which the
    release lacks. `stop_early` off and one `exits` is static self-speculation."""

    decay: float = 0.95
    most_tokens: int = 18
    rests: bool = False
    stop_early: bool = True


@dataclass(frozen=True)
class Costs:
    """In one unit of the caller's: layers, as published, or milliseconds."""

    draft: Mapping[int, float]  # exit -> one drafted token
    verify: float  # one forward pass of the whole model

    @classmethod
    def in_layers(cls, exits: Iterable[int], layers: int) -> "Costs":
        """The published cost: a drafted token costs its exit's layers, and heads are free."""
        return cls({e: float(e) for e in exits}, float(layers))


def tokens_per_cost(rate: float, draft: float, verify: float, length: int) -> float:
    """Expected tokens of a round that drafts `length` tokens, over its cost. The verification's
    own token counts, so that a length of 0 is plain decoding."""
    return sum(rate**i for i in range(length + 1)) / (length * draft + verify)


@dataclass
class Tally:
    """Decayed counts and sums of confidence of one exit, [matched, mismatched]."""

    counts: list[float] = field(default_factory=lambda: [0.0, 0.0])
    confidence: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def decay(self, by: float) -> None:
        self.counts = [by * x for x in self.counts]
        self.confidence = [by * x for x in self.confidence]

    def add(self, matched: bool, confidence: float) -> None:
        self.counts[not matched] += 1
        self.confidence[not matched] += confidence

    @property
    def rate(self) -> float | None:
        """Share of matches; None before anything was seen."""
        total = sum(self.counts)
        return self.counts[0] / total if total else None

    @property
    def threshold(self) -> float:
        """Halfway between the mean confidence of matches and of mismatches; not a number, which
        no confidence is below, while either is missing."""
        if not all(self.counts):
            return math.nan
        means = [s / n for s, n in zip(self.confidence, self.counts, strict=True)]
        return sum(means) / 2


class DelStatistics:
    """What is known of every exit. `exits` are numbers of layers, ascending."""

    def __init__(self, exits: Sequence[int], costs: Costs, rules: DelRules) -> None:
        self.exits = tuple(exits)
        self.costs = costs
        self.rules = rules
        self.tallies = {e: Tally() for e in exits}

    def add_round(self, shadows: Mapping[int, Sequence[tuple[bool, float]]]) -> None:
        """What one verification says of each exit: (would have matched, confidence) per token."""
        for exit_, tokens in shadows.items():
            tally = self.tallies[exit_]
            tally.decay(self.rules.decay)
            for matched, confidence in tokens:
                tally.add(matched, confidence)

    def choose(self) -> tuple[int, int]:
        """The exit and the length, at least 0, that promise most; (first exit, 1) at the start."""
        best, choice = -math.inf, (self.exits[0], 1)
        for exit_ in self.exits:
            rate = self.tallies[exit_].rate
            if rate is None:
                continue
            for length in range(self.rules.most_tokens):
                promise = tokens_per_cost(rate, self.costs.draft[exit_], self.costs.verify, length)
                if promise > best:
                    best, choice = promise, (exit_, length)
        return choice

    def begun(self) -> bool:
        """Whether any round was added."""
        return any(sum(tally.counts) for tally in self.tallies.values())
