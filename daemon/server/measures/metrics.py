"""The daemon's counts and latencies. Owned by the event loop; read by `daemon status` and
Prometheus.
"""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ....api.report import Completion
from ....api.request import Trigger
from ....lsp.backend import Feedback, Outcome
from ...percentile import percentile
from .costs import Costs

WINDOW = 1_000  # latencies remembered per phase


@dataclass
class Metrics:
    """Counts since the start, and the newest latencies of every phase in milliseconds."""

    started: float = field(default_factory=time.time)
    requests: Counter[str] = field(default_factory=Counter)  # by how they ended
    outcomes: Counter[str] = field(default_factory=Counter)
    held_back: int = 0  # suggestions that were likely wrong, and not shown
    shown_characters: int = 0
    accepted_characters: int = 0
    protocol_errors: int = 0
    connections: int = 0
    costs: Costs = field(default_factory=Costs)
    _latencies_ms: dict[str, deque[float]] = field(default_factory=dict)

    def begin_anew(self) -> None:
        """Another model, or another way to run it: what suggestions cost before says nothing."""
        self.costs = Costs()
        self._latencies_ms.clear()

    def ended(self, how: str, took_ms: float) -> None:
        """A request was answered."""
        self.requests[how] += 1
        if how == "completed":
            self._note("total", took_ms)

    def completed(
        self, completions: Iterable[Completion], trigger: Trigger, took_ms: float
    ) -> None:
        """What the engine said about the time it took; `took_ms` counts from the question."""
        for completion in completions:
            self.shown_characters += len(completion.text)
            meta = completion.meta
            self._note("first_token", meta.tokenise_ms + meta.prefill_ms)
            self._note("decode", meta.decode_ms)
            self._note("engine", meta.total_ms)
            self.costs.note(trigger, meta, took_ms)
            return  # the rest of a list tell the same

    def feedback(self, feedback: Feedback) -> None:
        if not feedback.shown:
            self.held_back += 1
            return
        self.outcomes[feedback.outcome.value] += 1
        if feedback.outcome is not Outcome.REJECTED:
            self.accepted_characters += feedback.characters

    def summary(self) -> dict[str, Any]:
        """Plain data."""
        settled = sum(self.outcomes[name] for name in ("accepted", "typed", "rejected"))
        taken = self.outcomes["accepted"] + self.outcomes["typed"]
        return {
            "uptime_s": round(time.time() - self.started, 1),
            "requests": dict(self.requests),
            "outcomes": dict(self.outcomes),
            "acceptance": round(taken / settled, 3) if settled else None,
            "held_back": self.held_back,
            "accepted_characters": self.accepted_characters,
            "protocol_errors": self.protocol_errors,
            "connections": self.connections,
            "costs": self.costs.summary(),
            "latency_ms": {
                phase: {"p50": percentile(kept, 50), "p95": percentile(kept, 95), "n": len(kept)}
                for phase, kept in self._latencies_ms.items()
            },
        }

    def _note(self, phase: str, ms: float) -> None:
        self._latencies_ms.setdefault(phase, deque(maxlen=WINDOW)).append(ms)
