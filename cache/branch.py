"""Ways to go on from the end of a sequence, each in rows of its own: for several completions at
once, which one forward pass can continue together.
"""

from collections.abc import Sequence

from .segment import Part, Segment, Step
from .sequence import CachedSequence


class Branches:
    """Makes branches of one sequence, in free rows of its arena. While there are any, the sequence
    must stay as it is."""

    def __init__(self, sequence: CachedSequence, most_tokens: int) -> None:
        """`most_tokens` of each branch, beside those of the sequence."""
        self._sequence = sequence
        self._most = most_tokens
        self._row = max((segment.stop for segment in sequence.segments), default=0)
        self._free: list[int] = []
        self._shared = sequence.seen_before(len(sequence))

    def new(self, like: "Branch | None" = None, count: int = 0) -> "Branch":
        """Another one, which begins with the first `count` tokens of the branch `like`."""
        arena = self._sequence.arena
        if self._free:
            row = self._free.pop()
        else:
            row = self._row
            self._row += self._most
            arena.reserve(self._row)
        branch = Branch(self._sequence, self._shared, row, self._most)
        if like is not None and count > len(self._sequence):
            own = like.tokens[len(self._sequence) : count]
            arena.copy(like.row, row, len(own))
            branch.tokens += own
        return branch

    def drop(self, branch: "Branch") -> None:
        """Let another one have its rows."""
        self._free.append(branch.row)


class Branch:
    """The sequence's tokens, and some of its own behind them."""

    def __init__(
        self, sequence: CachedSequence, shared: tuple[Segment, ...], row: int, most: int
    ) -> None:
        self.arena = sequence.arena
        self.row = row  # of the first token of its own
        self.tokens: list[int] = list(sequence.tokens)
        self.most_tokens = sequence.most_tokens
        self.most_rows: int | None = len(sequence) + most
        self._shared = shared
        self._start = len(sequence)

    def __len__(self) -> int:
        return len(self.tokens)

    def append(self, tokens: Sequence[int]) -> Step:
        """Put `tokens` at the end; the step that fills their rows."""
        first = len(self)
        self.tokens += tokens
        own = Segment(self.row, len(self) - self._start, first=self._start)
        part = Part(range(first, len(self)), self.row + first - self._start)
        assert self.most_rows is None or len(self) <= self.most_rows, (len(self), self.most_rows)
        return Step((part,), (*self._shared, own))

    def truncate(self, length: int) -> None:
        """Drop every token from index `length` on, none of them the sequence's."""
        assert length >= self._start, (length, self._start)
        del self.tokens[length:]
