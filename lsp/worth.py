"""Which suggestions are worth showing to somebody who has not asked for one."""

from dataclasses import replace
from typing import Literal

from ..api.report import Completion

Eagerness = Literal["low", "normal", "high"]

LEAST: dict[Eagerness, float] = {"low": 0.5, "normal": 0.1, "high": 0.0}  # of confidence, a line


def worth_showing(completion: Completion, eagerness: Eagerness) -> Completion | None:
    """The lines of it that are likely to be right; None if not even the first is. What nobody can
    judge is shown."""
    if completion.confidence is None:
        return completion
    text = completion.confidence.worth(completion.text, LEAST[eagerness])
    return replace(completion, text=text) if text.strip() else None
