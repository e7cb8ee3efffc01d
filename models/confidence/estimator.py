"""The estimate of how likely a suggestion's lines are right: a logistic regression on evidence.

Its few numbers are fitted on code that is mostly newer than the default model
(`tests/bench/worth/fit.py`), and ship as `confidence.json`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from ...api.confidence import Confidence, probability
from .evidence import NAMES, Features, Said, steps


class Estimates(Protocol):
    """Whoever says how likely a suggestion is right."""

    def confidence(self, text: str, said: Sequence[Said]) -> Confidence | None: ...


@dataclass(frozen=True, slots=True)
class Estimator:
    """`weights` belong to `evidence.NAMES`."""

    bias: float
    weights: tuple[float, ...]

    def score(self, features: Features) -> float:
        """The logarithm of the odds of being right."""
        return self.bias + sum(map(float.__mul__, self.weights, features.values()))

    def confidence(self, text: str, said: Sequence[Said]) -> Confidence | None:
        """Of a suggestion shown as `text`; None where nothing is known of its tokens."""
        found = list(steps(text, said))
        if not found:
            return None
        starts = tuple(step.start for step in found)
        rests = tuple(probability(self.score(step.features)) for step in found)
        return Confidence((0, *starts[1:]), rests)


@cache
def fitted() -> Estimator:
    """The one that ships."""
    data = json.loads(Path(__file__).with_name("confidence.json").read_text())
    return Estimator(data["bias"], tuple(data["weights"][name] for name in NAMES))
