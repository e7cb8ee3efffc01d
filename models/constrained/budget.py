"""What a search for a grammatical completion may cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from ...api.request import GrammarMode
from ..decoding.decode import Stops, raise_if_cancelled


@dataclass(frozen=True, slots=True)
class Budget:
    """When being exact stops being worth its restarts."""

    limit_tokens: int
    exact_restarts: int = 24  # then approximate
    approximate_restarts: int = 96  # then local redraws
    time_used: Callable[[], float] = field(default=lambda: 0.0)  # share of the deadline, 0 to 1
    exact_until: float = 0.6
    approximate_until: float = 0.85
    elapsed: Callable[[], float] = field(default=lambda: 0.0)  # seconds since the beginning
    search_calls: int = 64  # of the model, lost to greedy ways round refusals
    search_seconds: float = 1.0  # lost to them, whatever the deadline
    most_refusals: int = 512  # in one completion, which is then given up
    raise_if_cancelled: Callable[[], None] = field(
        default=lambda: None
    )  # at every refusal; may raise

    def mode(self, wanted: GrammarMode, restarts: int) -> GrammarMode:
        """The mode for the next refusal."""
        if wanted not in (GrammarMode.EXACT, GrammarMode.APPROXIMATE):
            return wanted
        used = self.time_used()
        if restarts >= self.approximate_restarts or used >= self.approximate_until:
            return GrammarMode.GCD
        if restarts >= self.exact_restarts or used >= self.exact_until:
            return GrammarMode.APPROXIMATE
        return wanted


def budget_until(
    stops: Stops, cancelled: Callable[[], bool], clock: Callable[[], float] = time.monotonic
) -> Budget:
    """Of a search that begins now. Where there is no deadline nobody waits, and no time has passed,
    so that chance decides nothing."""
    deadline, began = stops.deadline, clock()

    def elapsed() -> float:
        return 0.0 if deadline is None else clock() - began

    def used() -> float:
        return 0.0 if deadline is None else (clock() - began) / max(1e-6, deadline - began)

    return Budget(
        stops.limit_tokens,
        time_used=used,
        elapsed=elapsed,
        raise_if_cancelled=partial(raise_if_cancelled, deadline, cancelled),
    )
