"""A run of cached tokens, and what one forward pass needs to know: plain integers, no tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows `start .. start + length` of an arena, whose keys were turned for `first ..`.

    `offset` is what edits elsewhere have added since: the true position of the i-th token is
    `first + i + offset`. Attending with the query turned for `position - offset` gives the scores
    of keys turned again by `offset`, because rotary scores depend on the difference only.

    `edits` counts the edits before these tokens that they have not seen. `exact` says that they
    are what a fresh prefill would give: an unseen edit, or a token before them that was not exact
    when they were encoded, takes that away.
    """

    start: int
    length: int
    first: int
    offset: int = 0
    edits: int = 0
    exact: bool = True

    @property
    def stop(self) -> int:
        """One past the last row."""
        return self.start + self.length

    @property
    def position(self) -> int:
        """True position of the first token."""
        return self.first + self.offset

    @property
    def end_position(self) -> int:
        """One past the true position of the last token."""
        return self.position + self.length

    def split(self, index: int) -> tuple[Segment, Segment]:
        """The first `index` tokens and the rest; no row moves."""
        assert 0 < index < self.length, (index, self)
        return self.cut(0, index), self.cut(index, self.length)

    def cut(self, start: int, stop: int) -> Segment:
        """Its tokens `start .. stop`, counted from its own first; no row moves."""
        assert 0 <= start < stop <= self.length, (start, stop, self)
        return replace(
            self, start=self.start + start, length=stop - start, first=self.first + start
        )

    def at_row(self, row: int) -> Segment:
        """The same tokens after their rows were moved to `row`."""
        return replace(self, start=row)

    def shifted(self, by: int) -> Segment:
        return replace(self, offset=self.offset + by) if by else self

    def unseeing(self, edits: int = 1) -> Segment:
        """The same tokens after `edits` changes before them that they have not seen."""
        return replace(self, edits=self.edits + edits, exact=False)

    def follows(self, other: Segment) -> bool:
        """Whether the two can be one segment: adjacent rows, adjacent positions, one history."""
        return (
            other.stop == self.start
            and other.first + other.length == self.first
            and other.offset == self.offset
            and other.edits == self.edits
            and other.exact == self.exact
        )


def joined(segments: list[Segment]) -> list[Segment]:
    """The same tokens in as few segments as possible."""
    result: list[Segment] = []
    for segment in segments:
        if result and segment.follows(result[-1]):
            result[-1] = replace(result[-1], length=result[-1].length + segment.length)
        else:
            result.append(segment)
    return result


def cut_at(segments: Sequence[Segment], index: int) -> list[Segment]:
    """The same tokens with a boundary before token `index`."""
    result: list[Segment] = []
    for segment in segments:
        if segment.position < index < segment.end_position:
            result += segment.split(index - segment.position)
        else:
            result.append(segment)
    return result


def check_tiling(segments: list[Segment], tokens: int, rows: int) -> None:
    """Our own bugs only: positions without a gap, no row twice, nothing exact behind what is not.

    `rows`: of the arena that the segments lie in.
    """
    position = 0
    for segment in segments:
        assert segment.length > 0, segment
        assert segment.position == position, (segment, position)
        assert segment.stop <= rows, segment
        position = segment.end_position
    assert position == tokens, (position, tokens)
    assert segments == joined(segments), segments
    used = sorted((s.start, s.stop) for s in segments)
    assert all(a[1] <= b[0] for a, b in pairwise(used)), used
    inexact = [not s.exact for s in segments]
    assert inexact == sorted(inexact), "an exact token after one that is not"


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive tokens of a step: true `positions`, and rows from `row` on."""

    positions: range
    row: int


@dataclass(frozen=True, slots=True)
class Step:
    """All that one forward pass must know about its tokens' place.

    The tokens of all `parts`, one after the other, in ascending order of position. They see
    `visible`, which includes themselves, in order of position, and of each segment only what is
    not after them; later parts see earlier ones, just as if those had been run before.
    """

    parts: tuple[Part, ...]
    visible: tuple[Segment, ...]

    def __post_init__(self) -> None:
        assert self.parts, "an empty step has no positions"
        assert all(part.positions.step == 1 for part in self.parts), self.parts
        assert all(a.positions.stop <= b.positions.start for a, b in pairwise(self.parts))

    def __len__(self) -> int:
        """The number of tokens."""
        return sum(len(part.positions) for part in self.parts)
