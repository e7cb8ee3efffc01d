"""Ways to go on from the end of a sequence, each in rows of its own: for several completions at
once, which one forward pass can continue together.
"""

from collections.abc import Sequence

from .segment import Part, Segment, Step, joined
from .sequence import CachedSequence

FEW_TOKENS = 24  # of a branch, which most are shorter than; for more it gets other rows


class Branches:
    """Makes branches of one sequence, in free rows of its arena. While there are any, the sequence
    must stay as it is. Their rows are over its budget until they `end`, when they are free again.

    The first branch has those rows that the sequence itself would go on in, so that its tokens see
    what they see in the same segments as there, and come out the same to the last bit.
    """

    def __init__(self, sequence: CachedSequence, most_tokens: int) -> None:
        """`most_tokens` of each branch, beside those of the sequence."""
        self.sequence = sequence
        self.most_tokens = most_tokens
        self.shared = sequence.seen_before(len(sequence))
        self.exact = all(segment.exact for segment in self.shared)
        ends = sorted(segment.stop for segment in sequence.segments) or [0]
        last = sequence.segments[-1].stop if sequence.segments else 0
        follows = all(s.start < last or s.start >= last + most_tokens for s in sequence.segments)
        self._first = range(last, last + most_tokens) if follows else None
        self._row = max(ends[-1], last + most_tokens if follows else 0)
        self._free: dict[int, list[int]] = {}  # by their number: rows that were given back

    def new(self, like: "Branch | None" = None, count: int = 0) -> "Branch":
        """Another one, which begins with the first `count` tokens of the branch `like`."""
        branch = Branch(self)
        if like is not None and count > len(branch):
            own = like.tokens[len(branch) : count]
            branch.append(own)
            self.sequence.arena.copy(like.rows.start, branch.rows.start, len(own))
        return branch

    def first_rows(self) -> range:
        """For a new branch."""
        if self._first is None:
            return self.rows(min(FEW_TOKENS, self.most_tokens))
        rows, self._first = self._first, None
        self.sequence.arena.reserve(rows.stop)
        return rows

    def end(self) -> None:
        """There are no branches any more: what they took over the budget is given back."""
        most, arena = self.sequence.most_rows, self.sequence.arena
        used = max((segment.stop for segment in self.sequence.segments), default=0)
        if most is not None and arena.rows > max(most, used):
            arena.resize(max(most, used))

    def rows(self, count: int) -> range:
        """So many free rows, for whoever gives them back."""
        free = self._free.get(count)
        start = free.pop() if free else self._row
        if start == self._row:
            self._row += count
            self.sequence.arena.reserve(self._row)
        return range(start, start + count)

    def give_back(self, rows: range) -> None:
        self._free.setdefault(len(rows), []).append(rows.start)


class Branch:
    """The sequence's tokens, and some of its own behind them."""

    def __init__(self, branches: Branches) -> None:
        self.arena = branches.sequence.arena
        self.tokens: list[int] = list(branches.sequence.tokens)
        self.rows = branches.first_rows()  # of its own tokens
        self.most_tokens = branches.sequence.most_tokens
        self.most_rows: int | None = len(self) + branches.most_tokens
        self._branches = branches
        self._start = len(self)

    def __len__(self) -> int:
        return len(self.tokens)

    def append(self, tokens: Sequence[int]) -> Step:
        """Put `tokens` at the end; the step that fills their rows."""
        first = len(self)
        self._require(first + len(tokens) - self._start)
        self.tokens += tokens
        exact = self._branches.exact
        own = Segment(self.rows.start, len(self) - self._start, first=self._start, exact=exact)
        part = Part(range(first, len(self)), self.rows.start + first - self._start)
        return Step((part,), tuple(joined([*self._branches.shared, own])))

    def truncate(self, length: int) -> None:
        """Drop every token from index `length` on, none of them the sequence's."""
        assert length >= self._start, (length, self._start)
        del self.tokens[length:]

    def end(self) -> None:
        """Let other branches have its rows."""
        self._branches.give_back(self.rows)

    def _require(self, count: int) -> None:
        """Have rows for `count` tokens of its own, moving what is there if need be."""
        most = self._branches.most_tokens
        assert count <= most, (count, most)
        if count <= len(self.rows):
            return
        rows = self._branches.rows(most)
        self.arena.copy(self.rows.start, rows.start, len(self) - self._start)
        self._branches.give_back(self.rows)
        self.rows = rows
