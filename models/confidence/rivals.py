"""Confidence in several completions of one place: different first lines exclude each other, and the
same one is as likely in each.
"""

from collections.abc import Sequence

from ...api.confidence import Confidence


def agreeing(texts: Sequence[str], known: Sequence[Confidence | None]) -> list[Confidence | None]:
    """Of each of the `texts`, so that all first lines together are at most certain."""
    likely: dict[str, float] = {}
    for text, confidence in zip(texts, known, strict=True):
        if confidence is not None:
            line = _first_line(text)
            likely[line] = max(likely.get(line, 0.0), confidence.first_line(text))
    most = max(1.0, sum(likely.values()))
    return [
        confidence and confidence.with_first_line(text, likely[_first_line(text)] / most)
        for text, confidence in zip(texts, known, strict=True)
    ]


def _first_line(text: str) -> str:
    return text.lstrip().partition("\n")[0].rstrip()
