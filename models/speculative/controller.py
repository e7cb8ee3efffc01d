"""The controller: which draft to verify, and how much of it, for the most tokens per millisecond
that can be expected.

Plain integers and floats. For every drafter it is known how often tokens of such confidence were
right lately, in one language; what a pass over so many tokens costs here; and for a drafter whose
proposals take time, how much. Drafting nothing is one of the choices, so speculation cannot lose
for long.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .pass_cost import Pace

EDGES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.88, 0.94, 0.98)  # of confidence
MEMORY = 0.98  # of what was seen, at the next observation in the same place
PRIOR = 4.0  # observations that a drafter's own word weighs
HOPE = 0.35  # of a token by a drafter that was neither tested nor seen yet
FADE = 0.995  # of what is known of an arm, at every round that it is left alone
SAVINGS = 0.9  # of what an arm has saved, at the next round that it is asked in
FEWEST_ASKED = 4  # rounds before it is judged by that
FIRST_REST, LONGEST_REST = 8, 512  # rounds
WORTH = 1.03  # times what plain decoding gives: less is not worth a draft
SPEED_MEMORY, SPEED_PRIOR = 0.95, 8.0  # of the rounds' speed, and the rounds that no gain weighs


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
    extra_ms: float | None = None  # per token, beyond a pass over the same tokens alone
    saved_ms: float = 0.0  # against plain decoding, the recent rounds weighing more
    asked: int = 0  # rounds
    rest: int = 0  # rounds that it is not to be asked in
    next_rest: int = FIRST_REST

    def chance(self, confidence: float) -> float:
        """That a token is taken where those before it are."""
        return self.by_confidence[_bucket(confidence)].rate(confidence)

    def count(self, confidence: float, hit: bool) -> None:
        self.by_confidence[_bucket(confidence)].count(hit)
        self.overall.count(hit)

    def found(self, tokens: int, extra_ms: float) -> None:
        """Asked, it found so many tokens, and the round took so much longer than a pass over them
        alone. Layers that it has run are not run again by the verification, and others are run
        token by token instead of all at once: only whole rounds say what it costs."""
        if not tokens:
            self.overall.count(False)
        each = extra_ms / max(1, tokens)
        self.extra_ms = each if self.extra_ms is None else 0.8 * self.extra_ms + 0.2 * each

    def saved(self, ms: float) -> None:
        """A round in which it was asked took so much less than plain decoding of its tokens. An
        arm that loses rests, each time twice as long, and is asked once more after that: on and
        on, as soon as that makes up for what it has lost lately."""
        self.asked += 1
        self.saved_ms = SAVINGS * self.saved_ms + ms
        if self.asked < FEWEST_ASKED:
            return
        if self.saved_ms > 0:
            self.next_rest = max(FIRST_REST, self.next_rest // 2)
            return
        self.rest = self.next_rest
        self.next_rest = min(2 * self.next_rest, LONGEST_REST)

    def left_alone(self) -> None:
        """Forget a little, so that an arm that once lost or was once slow is tried again."""
        self.rest = max(0, self.rest - 1)
        if self.extra_ms is not None:
            self.extra_ms *= FADE
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
        self._drawn = self._passes = SPEED_PRIOR  # tokens, and the time for them in plain passes

    @property
    def speed(self) -> float:
        """Tokens in the time of a plain pass, lately."""
        return max(1.0, self._drawn / self._passes)

    def drew(self, tokens: int, ms: float) -> None:
        """A round brought so many tokens and took so long, guessing included."""
        self._drawn = SPEED_MEMORY * self._drawn + tokens
        self._passes = SPEED_MEMORY * self._passes + ms / self.pace.ms(1)

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

    def wished(self, name: str, budget: int, hope: float = HOPE) -> Plan:
        """What is best asked of a drafter whose proposals take time, and whose tokens are right so
        often by what was known before.

        What it finds is often where the next round's cheap draft would have gone anyway: a token
        more saves only the time that one takes lately, and must be worth asking for by that too.
        """
        arm, best = self.arm(name), NOTHING
        if arm.rest or not self.pace.known:
            return best
        rate, speed = arm.overall.rate(hope), self.speed
        each = max(0.0, arm.extra_ms or 0.0) / self.pace.ms(1)
        most = 1 if arm.extra_ms is None else budget  # one, to see what it costs
        expected = chance = 1.0
        for tokens in range(1, most + 1):
            chance *= rate
            expected += chance
            cost = self.pace.relative(1 + tokens) + each * tokens
            worth = (1 + (expected - 1) / speed) / cost
            if expected / cost > best.gain and worth >= WORTH:
                best = Plan(tokens, expected / cost)
        return best

    def choose(self, plans: Mapping[str, Plan]) -> tuple[str, Plan]:
        """The drafter whose plan gains most; none ("") if that is not worth it."""
        name = max(plans, key=lambda name: plans[name].gain, default="")
        if not name or plans[name].gain < WORTH:
            return "", NOTHING
        return name, plans[name]


def _bucket(confidence: float) -> int:
    return bisect_right(EDGES, confidence)
