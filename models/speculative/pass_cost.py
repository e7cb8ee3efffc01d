"""The cost of a forward pass over several tokens here, learnt from those that were made.

`Ledger` counts what one arm of speculation has done, and what it cost.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Spent:
    """On guessing, beside the verification, in so many rounds."""

    rounds: int = 0
    control_ms: float = 0.0  # choosing, looking up, learning, shadow analysis
    drafting_ms: float = 0.0  # by drafters that run parts of the model

    @property
    def ms(self) -> float:
        return self.control_ms + self.drafting_ms

    def add(self, control_ms: float, drafting_ms: float) -> None:
        """One round."""
        self.rounds += 1
        self.control_ms += control_ms
        self.drafting_ms += drafting_ms


@dataclass(slots=True)
class Ledger:
    """The rounds of one arm, and what plain decoding would have taken for the same tokens."""

    drafted: int = 0
    accepted: int = 0
    by_exit: dict[int, tuple[int, int]] = field(default_factory=dict)  # drafted, accepted
    forward_ms: float = 0.0  # of verification
    plain_ms: float = 0.0
    spent: Spent = field(default_factory=Spent)
    vain: Spent = field(default_factory=Spent)  # of it, where nothing was accepted

    @property
    def gain(self) -> float | None:
        took_ms = self.forward_ms + self.spent.ms
        return self.plain_ms / took_ms if took_ms else None

    def add(self, drafted: int, accepted: int, exit_layer: int | None) -> None:
        """What came of a round."""
        self.drafted += drafted
        self.accepted += accepted
        if exit_layer is not None and drafted:
            before = self.by_exit.get(exit_layer, (0, 0))
            self.by_exit[exit_layer] = before[0] + drafted, before[1] + accepted

    def took(
        self, forward_ms: float, plain_ms: float, control_ms: float, drafting_ms: float, vain: bool
    ) -> None:
        """How long it was, and plain decoding would have been. `vain`: nothing was accepted."""
        self.forward_ms += forward_ms
        self.plain_ms += plain_ms
        for spent in (self.spent, self.vain) if vain else (self.spent,):
            spent.add(control_ms, drafting_ms)


# Relative to one token; between them it is a straight line. First guesses: a processor whose
# weights come from memory (`tests/bench/pass_cost.py` prints it), and a GPU. Measurements take
# their place within a few passes.
CPU_SHAPE = {1: 1.0, 2: 1.0, 4: 1.0, 8: 1.2, 16: 1.75, 32: 3.4}
GPU_SHAPE = {1: 1.0, 2: 1.02, 4: 1.02, 8: 1.03, 16: 1.05, 32: 1.1}

LEVEL_RATE, SHAPE_RATE = 0.25, 0.15  # how much one pass changes
MOST_SURPRISE = 0.7  # in powers of e: a pass that was interrupted must not count for much


class Pace:
    """Milliseconds by number of tokens: a level, which follows the machine's load and the length
    of the context, and a shape, which changes slowly."""

    def __init__(self, shape: Mapping[int, float] = CPU_SHAPE) -> None:
        self._knots = sorted(shape)
        self._logs = {knot: math.log(shape[knot]) for knot in self._knots}
        self._spans = [self._around(tokens) for tokens in range(self._knots[-1] + 1)]
        self._relative: list[float] = []  # by tokens; empty: to be worked out again
        self._level: float | None = None

    @property
    def known(self) -> bool:
        """Whether a pass has been seen."""
        return self._level is not None

    def relative(self, tokens: int) -> float:
        """How many times as long as one token."""
        if not self._relative:  # asked a hundred times a round
            logs = (sum(self._logs[knot] * share for knot, share in span) for span in self._spans)
            self._relative = [math.exp(log) for log in logs]
        return self._relative[min(tokens, len(self._relative) - 1)]

    def ms(self, tokens: int) -> float:
        """A pass over so many tokens; relative to one token before the first was seen."""
        return self.relative(tokens) * math.exp(self._level or 0.0)

    def saw(self, tokens: int, ms: float) -> None:
        """A pass over so many tokens took so long."""
        if self._level is None:
            self._level = math.log(max(ms, 1e-6) / self.relative(tokens))
            return
        surprise = math.log(max(ms, 1e-6) / self.ms(tokens))
        surprise = max(-MOST_SURPRISE, min(MOST_SURPRISE, surprise))
        if tokens == 1:
            self._level += LEVEL_RATE * surprise
            return
        self._level += LEVEL_RATE / 2 * surprise
        for knot, share in self._around(tokens):
            if knot > 1:
                self._logs[knot] += SHAPE_RATE * share * surprise
        self._relative = []

    def _around(self, tokens: int) -> list[tuple[int, float]]:
        """The knots on either side and what they weigh."""
        tokens = max(1, min(tokens, self._knots[-1]))
        high = next(knot for knot in self._knots if knot >= tokens)
        if high == tokens:
            return [(high, 1.0)]
        low = self._knots[self._knots.index(high) - 1]
        share = (tokens - low) / (high - low)
        return [(low, 1 - share), (high, share)]
