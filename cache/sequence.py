"""One file's tokens with their keys and values: what is cached, and where each token stands."""

from collections.abc import Sequence
from itertools import pairwise

from .pool import Arena
from .segment import Segment, Step


class CachedSequence:
    """The single owner of one arena. Holds tokens in order of position, and the segments they form.

    `append` reserves rows and returns the `Step` that the forward pass needs to fill them.
    """

    def __init__(self, arena: Arena):
        self.arena = arena
        self.tokens: list[int] = []
        self.segments: list[Segment] = []

    def __len__(self) -> int:
        return len(self.tokens)

    def append(self, tokens: Sequence[int]) -> Step:
        """Put `tokens` at the end. The caller must run every layer over the step it gets."""
        assert tokens, "an empty step has no positions"
        position = len(self.tokens)
        row = self.segments[-1].stop if self.segments else 0
        self.arena.reserve(row + len(tokens))
        self.tokens.extend(tokens)
        new = Segment(start=row, length=len(tokens), first=position)
        if self.segments and new.follows(self.segments[-1]):
            last = self.segments.pop()
            new = Segment(last.start, last.length + len(tokens), last.first, last.offset)
        self.segments.append(new)
        return Step(range(position, len(self.tokens)), row, tuple(self.segments))

    def truncate(self, length: int) -> None:
        """Drop every token from index `length` on."""
        assert 0 <= length <= len(self.tokens), (length, len(self.tokens))
        del self.tokens[length:]
        while self.segments and self.segments[-1].position >= length:
            self.segments.pop()
        if self.segments and self.segments[-1].end_position > length:
            last = self.segments.pop()
            self.segments.append(last.split(length - last.position)[0])

    def check_integrity(self) -> None:
        """Our own bugs only: segments tile the positions, rows do not overlap."""
        position = 0
        for segment in self.segments:
            assert segment.length > 0, segment
            assert segment.position == position, (segment, position)
            assert segment.stop <= self.arena.rows, (segment, self.arena.rows)
            position = segment.end_position
        assert position == len(self.tokens), (position, len(self.tokens))
        rows = sorted((s.start, s.stop) for s in self.segments)
        assert all(a[1] <= b[0] for a, b in pairwise(rows)), rows
