"""Which draft to verify, and how much of it: the most tokens per millisecond that can be expected.

Plain integers and floats. For every drafter it is known how often tokens of such confidence were
right lately, in one language; what a pass over so many tokens costs here; and for a drafter whose
proposals take time, how much. Drafting nothing is one of the choices, so speculation cannot lose
for long.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .pace import Pace

EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98)  # of confidence
MEMORY = 0.98  # of what was seen, at the next observation in the same place
PRIOR = 4.0  # observations that a drafter's own word weighs
HOPE = 0.7  # of a token by a drafter that was not seen yet
FADE = 0.995  # of what is known of an arm, at every round that it is left alone
EARNINGS = 0.9  # of what an arm has earned, at the next round that it is asked in
FEWEST_ASKED = 4  # rounds before it is judged by that
FIRST_REST, LONGEST_REST = 8, 512  # rounds
WORTH = 1.03  # times what plain decoding gives: less is not worth a draft


@dataclass(slots=True)
class Tally:
    """Right and wrong, the recent ones weighing more."""

    hits: float = 0.0
    tries: float = 0.0

    def count(self, hit: bool) -> None:
        self.hits = self.hits * MEMORY + hit
        self.tries = self.tries * MEMORY + 1

    def rate(self, prior: float) -> float:
        return (self.hits + PRIOR * prior) / (self.tries + PRIOR)


@dataclass(slots=True)
class Arm:
    """What is known of one drafter in one language."""

    by_confidence: list[Tally] = field(default_factory=lambda: [Tally() for _ in (*EDGES, 1)])
    overall: Tally = field(default_factory=Tally)
    # of a drafter that is not free:
    draft_ms: float | None = None  # per drafted token
    earnings: float = 0.0  # sum of the logarithms of its gains, the recent ones weighing more
    asked: int = 0  # rounds since it rested
    rest: int = 0  # rounds that it is not to be asked in
    next_rest: int = FIRST_REST

    def chance(self, confidence: float) -> float:
        """That a token is taken where those before it are."""
        return self.by_confidence[_bucket(confidence)].rate(confidence)

    def count(self, confidence: float, hit: bool) -> None:
        self.by_confidence[_bucket(confidence)].count(hit)
        self.overall.count(hit)

    def took(self, tokens: int, ms: float) -> None:
        """Proposing so many tokens took so long."""
        each = ms / max(1, tokens)
        self.draft_ms = each if self.draft_ms is None else 0.7 * self.draft_ms + 0.3 * each

    def earns(self, gain: float) -> None:
        """A round in which it was asked was so many times as fast as plain decoding. An arm that
        loses rests, each time twice as long, until it gains again."""
        self.asked += 1
        self.earnings = EARNINGS * self.earnings + math.log(gain)
        if self.asked < FEWEST_ASKED:
            return
        if self.earnings > 0:
            self.next_rest = FIRST_REST
            return
        self.rest, self.asked, self.earnings = self.next_rest, 0, 0.0
        self.next_rest = min(2 * self.next_rest, LONGEST_REST)

    def left_alone(self) -> None:
        """Forget a little, so that an arm that once lost or was once slow is tried again."""
        self.rest = max(0, self.rest - 1)
        if self.draft_ms is not None:
            self.draft_ms *= FADE
        self.overall.hits *= FADE
        self.overall.tries *= FADE


@dataclass(frozen=True, slots=True)
class Plan:
    """`tokens` of a draft, and how much faster than plain decoding that should be."""

    tokens: int
    gain: float


NOTHING = Plan(0, 1.0)


class Controller:
    """One language's statistics. The pace is the device's, for all languages."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.arms: dict[str, Arm] = {}

    def arm(self, name: str) -> Arm:
        return self.arms.setdefault(name, Arm())

    def offered(self, name: str, confidences: Sequence[float]) -> Plan:
        """What is best made of a draft that is there already."""
        arm, best = self.arm(name), NOTHING
        expected = chance = 1.0
        for tokens, confidence in enumerate(confidences, 1):
            chance *= arm.chance(confidence)
            expected += chance
            gain = expected / self.pace.relative(1 + tokens)
            if gain > best.gain:
                best = Plan(tokens, gain)
        return best

    def wished(self, name: str, budget: int) -> Plan:
        """What is best asked of a drafter whose proposals take time."""
        arm, best = self.arm(name), NOTHING
        if arm.rest:
            return best
        rate = arm.overall.rate(HOPE)
        each = (arm.draft_ms or 0.0) / self.pace.ms(1) if self.pace.known else 0.0
        expected = chance = 1.0
        for tokens in range(1, budget + 1):
            chance *= rate
            expected += chance
            gain = expected / (self.pace.relative(1 + tokens) + each * tokens)
            if gain > best.gain:
                best = Plan(tokens, gain)
        return best

    def choose(self, plans: Mapping[str, Plan]) -> tuple[str, Plan]:
        """The drafter whose plan gains most; none ("") if that is not worth it."""
        name = max(plans, key=lambda name: plans[name].gain, default="")
        if not name or plans[name].gain < WORTH:
            return "", NOTHING
        return name, plans[name]


def _bucket(confidence: float) -> int:
    return bisect_right(EDGES, confidence)
