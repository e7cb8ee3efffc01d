"""A run of cached tokens, and what one forward pass needs to know: plain integers, no tensors."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows `start .. start + length` of the arena, whose keys were turned for `first ..`.

    `offset` is what edits elsewhere have added since: the true position of the i-th token is
    `first + i + offset`. Attending with the query turned for `position - offset` gives the scores
    of keys turned again by `offset`, because rotary scores depend on the difference only.
    """

    start: int
    length: int
    first: int
    offset: int = 0

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

    def split(self, index: int) -> tuple["Segment", "Segment"]:
        """The first `index` tokens and the rest; no row moves."""
        assert 0 < index < self.length, (index, self)
        head = replace(self, length=index)
        return head, replace(
            self, start=self.start + index, length=self.length - index, first=self.first + index
        )

    def shifted(self, by: int) -> "Segment":
        return replace(self, offset=self.offset + by)

    def follows(self, other: "Segment") -> bool:
        """Whether the two can be one segment: adjacent rows, adjacent positions, one offset."""
        return (
            other.stop == self.start
            and other.first + other.length == self.first
            and other.offset == self.offset
        )


@dataclass(frozen=True, slots=True)
class Step:
    """All that one forward pass must know about its tokens' place.

    The tokens stand at `positions` (consecutive true positions) and their keys and values go to the
    rows from `row` on. They see `visible`, which includes themselves, in order of position, and of
    each segment only what is not after them.
    """

    positions: range
    row: int
    visible: tuple[Segment, ...]

    def __post_init__(self) -> None:
        assert self.positions.step == 1, self.positions
