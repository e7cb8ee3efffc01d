"""Corrections for keys whose tokens have moved: three ways behind one signature.

Each takes a segment with an offset and returns one that attention can use as it is.

- `turn_query`: nothing. The offset stays, and the query is turned instead. Nothing is written, so
  nothing drifts.
- `materialise`: turn the stored keys by the offset, in float32. One segment of attention less, and
  one rounding to the arena's dtype for every time this is done.
- `conflict`: pretend that the keys had been turned for where the tokens stand now. Wrong on
  purpose: the baseline that shows what the correction is worth (PIE, arXiv 2407.03157, section 4).
"""

from dataclasses import replace
from typing import Protocol

from .pool import Arena
from .segment import Segment


class Correction(Protocol):
    def __call__(self, arena: Arena, segment: Segment) -> Segment: ...


def turn_query(arena: Arena, segment: Segment) -> Segment:
    return segment


def materialise(arena: Arena, segment: Segment) -> Segment:
    if segment.offset == 0:
        return segment
    arena.turn(segment.start, segment.stop, segment.offset)
    return replace(segment, first=segment.position, offset=0)


def conflict(arena: Arena, segment: Segment) -> Segment:
    return replace(segment, first=segment.position, offset=0)
