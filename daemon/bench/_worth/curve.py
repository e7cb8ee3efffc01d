"""How well probabilities tell right from wrong, and how true they are."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

BINS = 10

Judged = Sequence[tuple[float, bool]]  # what was said to be the probability, and what came true


def best_first(judged: Judged) -> list[bool]:
    """What came true, the likeliest first."""
    return [right for _, right in sorted(judged, key=lambda each: -each[0])]


def precision(judged: Judged, share: float = 1.0) -> float:
    """Of the likeliest `share`, how many are right."""
    chosen = best_first(judged)[: max(1, round(share * len(judged)))]
    return sum(chosen) / len(chosen)


def precisions(judged: Judged) -> Iterator[tuple[float, float]]:
    """The precision of every share that can be shown."""
    right = 0
    for number, each in enumerate(best_first(judged), 1):
        right += each
        yield number / len(judged), right / number


def area(judged: Judged) -> float | None:
    """Under the receiver operating characteristic: how often something right is said to be
    likelier than something wrong, ties by half. None where there is nothing of one kind."""
    right = [each for each, is_right in judged if is_right]
    wrong = [each for each, is_right in judged if not is_right]
    if not right or not wrong:
        return None
    above = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    return above / (len(right) * len(wrong))


def calibration(judged: Judged, bins: int = BINS) -> list[tuple[float, float, int]]:
    """By likelihood in parts of the same size: the mean that was said, the share that came true,
    how many."""
    ordered = sorted(judged)
    edges = [round(number * len(ordered) / bins) for number in range(bins + 1)]
    parts = [ordered[a:b] for a, b in pairwise(edges) if a < b]
    return [
        (
            sum(said for said, _ in part) / len(part),
            sum(right for _, right in part) / len(part),
            len(part),
        )
        for part in parts
    ]


def calibration_error(judged: Judged, bins: int = BINS) -> float:
    """Expected: the mean distance between what is said and what comes true (ECE)."""
    parts = calibration(judged, bins)
    return sum(abs(said - true) * count for said, true, count in parts) / len(judged)
