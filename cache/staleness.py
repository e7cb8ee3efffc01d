"""Staleness: which cached tokens to encode again next, so that the cache becomes a fresh prefill's.

First, near the cursor, the tokens that have missed an edit: encoded again, they have seen it, even
if what stands between is still stale. Then everything that is not exact, in order of position,
because a token is exact only if all before it were. Plain integers.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Staleness:
    """How much of a sequence is not what a fresh prefill gives, in tokens."""

    tokens: int
    inexact: int
    unseeing: int  # of those: have missed an edit, rather than only been encoded after such tokens
    edits: int  # the most that any token has missed

    @property
    def share(self) -> float:
        return self.inexact / self.tokens if self.tokens else 0.0


def staleness(tokens: int, inexact: Sequence[tuple[range, int]]) -> Staleness:
    return Staleness(
        tokens,
        sum(len(span) for span, _ in inexact),
        sum(len(span) for span, edits in inexact if edits),
        max((edits for _, edits in inexact), default=0),
    )


def near_span(
    inexact: Sequence[tuple[range, int]], cursor: int, most: int, near: int = 64
) -> range | None:
    """At most `most` tokens that have missed an edit, less than `near` from the cursor; None where
    there are none.

    `inexact`: spans with the number of edits that their tokens have missed. `cursor`: index of the
    token after the cursor.
    """
    missing = [span for span, edits in inexact if edits and _distance(span, cursor) < near]
    if not missing:
        return None
    span = min(missing, key=lambda s: _distance(s, cursor))
    if span.stop <= cursor:
        return range(max(span.start, span.stop - most), span.stop)
    start = max(span.start, cursor)
    return range(start, min(span.stop, start + most))


def next_span(
    inexact: Sequence[tuple[range, int]], cursor: int, most: int, near: int = 64
) -> range | None:
    """At most `most` tokens to encode next, or None when everything is exact: what is near out of
    turn, as in `near_span`, then in order of position."""
    if (found := near_span(inexact, cursor, most, near)) is not None:
        return found
    if inexact:
        first = inexact[0][0]
        return range(first.start, min(first.stop, first.start + most))
    return None


def _distance(span: range, cursor: int) -> int:
    """Tokens between a span and the cursor."""
    return max(span.start - cursor, cursor - span.stop, 0)
