"""Candidates of one request with the confidence in each."""

from collections.abc import Sequence
from dataclasses import replace

from ...models.confidence.estimator import Estimates
from ...models.confidence.rivals import agreeing
from .request import Candidate


def weighed(estimates: Estimates, candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    known = [estimates.confidence(each.text, each.said) for each in candidates]
    known = agreeing([each.text for each in candidates], known)
    return tuple(
        replace(each, confidence=confidence and replace(confidence, ends=each.ends))
        for each, confidence in zip(candidates, known, strict=True)
    )
