"""What suggestions of one kind cost: the newest that the model wrote something for."""

from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

from ....api.report import CompletionMeta
from ....api.request import Trigger
from ...percentile import percentile

KEPT = 1_000  # of each kind


class Cost(NamedTuple):
    """One suggestion's. Both times count from when it was asked for, waiting included."""

    first_token_ms: float
    whole_ms: float
    tokens: int  # written
    drafted: int  # of them, drafts that were right


class Costs:
    """Owns the newest costs, apart for what was asked for by hand: several candidates each."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Cost]] = {}

    def note(self, trigger: Trigger, meta: CompletionMeta, took_ms: float) -> None:
        """A suggestion came. Those that the model was not asked for cost next to nothing, and do
        not count."""
        tokens = meta.generated_tokens
        if not tokens:
            return
        kind = "explicit" if trigger is Trigger.INVOKED else "automatic"
        after_ms = meta.total_ms - meta.tokenise_ms - meta.prefill_ms  # the first token
        cost = Cost(took_ms - after_ms, took_ms, tokens, min(tokens, meta.speculation.accepted))
        self._kept.setdefault(kind, deque(maxlen=KEPT)).append(cost)

    def summary(self) -> dict[str, Any]:
        """Plain data, by kind."""
        return {kind: _summary(kept) for kind, kept in sorted(self._kept.items())}


def _summary(kept: Iterable[Cost]) -> dict[str, Any]:
    first, whole, tokens, drafted = zip(*kept, strict=True)
    return {
        "n": len(first),
        "first_token_ms": {"p50": percentile(first, 50), "p95": percentile(first, 95)},
        "whole_ms": {"p50": percentile(whole, 50), "p95": percentile(whole, 95)},
        "tokens": sum(tokens),
        "drafted_share": round(sum(drafted) / sum(tokens), 3),
    }
