"""Rows at the end of a sequence, reserved before it is known which tokens go there."""

from collections.abc import Sequence

from ..cache.pool import Arena
from ..cache.segment import Part, Step
from ..cache.sequence import CachedSequence
from .draft import Draft


class Room:
    """`draft.Rows` for one round: places count from the first unseen token.

    Nothing is reserved until a drafter asks. Whoever makes a room truncates the sequence again.
    """

    def __init__(self, sequence: CachedSequence, unseen: Sequence[int], draft_tokens: int) -> None:
        """For all `unseen` tokens and at most `draft_tokens` after them."""
        self._sequence = sequence
        self._start = len(sequence)
        self._unseen = unseen
        self._most = draft_tokens
        self._all: Step | None = None

    @property
    def arena(self) -> Arena:
        return self._sequence.arena

    def step(self, start: int, count: int) -> Step:
        """The step for places `start .. start + count`."""
        if self._all is None:
            self._all = self._sequence.append([*self._unseen, *[0] * self._most])
        (part,) = self._all.parts
        first, row = part.positions.start + start, part.row + start
        return Step((Part(range(first, first + count), row),), self._all.visible)

    def fill(self, draft: Draft) -> Step:
        """Have exactly the unseen tokens and the draft's in the sequence, and the step for them."""
        tokens = [*self._unseen, *draft.tokens]
        if self._all is None:
            return self._sequence.append(tokens)
        stop = self._start + len(tokens)
        self._sequence.tokens[self._start : stop] = tokens
        self._sequence.truncate(stop)
        return self.step(0, len(tokens))
