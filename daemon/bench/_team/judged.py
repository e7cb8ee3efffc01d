"""What came of the questions: the figures of `keyturn bench team`."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

from ...percentile import percentile
from .typist import Asked

SUPERSEDED = "Outdated"  # the user had typed on

Right = Callable[[Asked], tuple[str, ...]]  # what a local engine answers to the same question


def figures(calm: Sequence[Asked], crowded: Sequence[Asked], right: Right | None) -> dict[str, Any]:
    """`calm`: without the flood, `crowded`: with it. Without `right` nobody knows what is."""
    asked = [*calm, *crowded]
    answered = [each for each in asked if each.texts is not None]
    overheads = [each.took_ms - each.engine_ms for each in calm if each.texts is not None]
    superseded = [each for each in asked if each.error.startswith(SUPERSEDED)]
    wrong = None if right is None else sum(each.texts != right(each) for each in answered)
    return {
        "asked": len(asked),
        "answered": len(answered),
        "superseded": len(superseded),
        "unanswered": len(asked) - len(answered) - len(superseded),
        "wrong": wrong,
        "affinity": _affinity(answered),
        "latency_p50_ms": percentile((each.took_ms for each in answered), 50),
        "latency_p95_ms": percentile((each.took_ms for each in answered), 95),
        "latency_p99_ms": percentile((each.took_ms for each in answered), 99),
        "engine_mean_ms": _mean(each.engine_ms for each in calm if each.texts is not None),
        "asked_a_minute": _asked_a_minute(calm),
        "overhead_p50_ms": percentile(overheads, 50),
        "overhead_p99_ms": percentile(overheads, 99),
        "fairness": _fairness(calm, crowded),
        "calm_p95_ms": _p95(calm),
        "crowded_p95_ms": _p95(crowded),
    }


def _mean(numbers: Iterable[float]) -> float | None:
    found = [*numbers]
    return round(sum(found) / len(found), 1) if found else None


def _asked_a_minute(asked: Sequence[Asked]) -> float | None:
    """By one user."""
    times = [each.at for each in asked]
    seconds = max(times, default=0.0) - min(times, default=0.0)
    users = len({each.user for each in asked})
    return round(60 * len(asked) / users / seconds, 1) if seconds else None


def _affinity(answered: Iterable[Asked]) -> float | None:
    """Of the questions about a file, how many went where the one before went."""
    replicas: dict[str, list[str]] = defaultdict(list)
    for each in sorted(answered, key=lambda each: each.at):
        replicas[each.user].append(each.replica)
    stayed = [a == b for one in replicas.values() for a, b in pairwise(one)]
    return round(sum(stayed) / len(stayed), 4) if stayed else None


def _p95(asked: Iterable[Asked]) -> float | None:
    return percentile((each.took_ms for each in asked if each.texts is not None), 95)


def _fairness(calm: Sequence[Asked], crowded: Sequence[Asked]) -> float | None:
    """How many times as long as without it the others wait beside a flood, at p95."""
    before, beside = _p95(calm), _p95(crowded)
    return round(beside / before, 2) if before and beside else None
