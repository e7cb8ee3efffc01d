"""Rows of an arena for new tokens: plain integers.

Tokens that are inserted again and again at one place (typing) should stay one segment, because
attention pays for every segment. So a new block leaves slack behind the one before it, and grows in
place as long as the rows after it are free.
"""

from collections.abc import Sequence

from .segment import Segment, cut_at

SLACK_ROWS = 64


def place(
    used: Sequence[tuple[int, int]], count: int, after: int | None, most_rows: int | None = None
) -> int | None:
    """The first of `count` free rows, or None if there is no such run below `most_rows`.

    `used`: (start, stop) of the runs in use, in any order. `after`: the row that would continue the
    tokens before. In order of preference: there; in the widest gap that leaves slack; after
    everything.
    """
    ends = sorted(used)
    gaps, start = [], 0
    for first, stop in ends:
        if first > start:
            gaps.append((start, first))
        start = stop
    limit = start + count + SLACK_ROWS if most_rows is None else most_rows
    if limit > start:
        gaps.append((start, limit))
    if after is not None and any(a <= after and after + count <= b for a, b in gaps):
        return after
    inner = [gap for gap in gaps if gap[1] <= start and _width(gap) >= count + SLACK_ROWS]
    if inner:
        widest = max(inner, key=_width)[0]
        return widest + (SLACK_ROWS if widest else 0)
    slack = SLACK_ROWS if start else 0
    for padding in (slack, 0):
        if start + padding + count <= limit:
            return start + padding
    tight = [gap for gap in gaps if _width(gap) >= count]
    return tight[0][0] if tight else None


def in_order(
    segments: Sequence[Segment], room_at: int | None = None, room: int = 0
) -> tuple[list[Segment], list[tuple[int, int, int]], int]:
    """The same tokens with their rows in order of position from row 0 on, `room` free ones before
    token `room_at`: the segments, the moves (from, to, length), and the rows that takes."""
    if room_at is not None:
        segments = cut_at(segments, room_at)
    placed: list[Segment] = []
    moves: list[tuple[int, int, int]] = []
    row = 0
    for segment in segments:
        if segment.position == room_at:
            row += room
        moves.append((segment.start, row, segment.length))
        placed.append(segment.at_row(row))
        row += segment.length
    return placed, moves, row


def _width(gap: tuple[int, int]) -> int:
    return gap[1] - gap[0]
