"""Which suggestions are worth showing to somebody who has not asked for one."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from ..api.report import Completion

Eagerness = Literal["low", "normal", "high"]

# How likely a line must be right; set on the files that the estimate was fitted to.
LEAST: dict[Eagerness, float] = {"low": 0.5, "normal": 0.1, "high": 0.0}


def worth_showing(
    found: Iterable[Completion],
    eagerness: Eagerness,
    standing: Callable[[int], str] = lambda offset: "",
) -> list[Completion]:
    """Of each the lines that are likely to be right, if the first of them is. What nobody can judge
    is shown. `standing` says what is on the screen at an offset: it stays there while it is typed
    along, whatever one thinks of it now. What loses lines replaces nothing: the bracket that it
    would have replaced may have been closed in them."""
    worth = [(each, _text(each, LEAST[eagerness], standing(each.start))) for each in found]
    shown: dict[tuple[str, int, int], Completion] = {}  # two may be the same up to there
    for each, text in worth:
        if text:
            cut = each if text == each.text else replace(each, text=text, end=each.start)
            shown.setdefault((cut.text, cut.start, cut.end), cut)
    return list(shown.values())


def _text(completion: Completion, least: float, standing: str) -> str:
    text, confidence = completion.text, completion.confidence
    worth = text if confidence is None else confidence.worth(text, least)
    if standing and text.startswith(standing):
        worth = max(worth, standing, key=len)
    return worth if worth.strip() else ""
