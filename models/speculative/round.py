"""One round of speculation: what a forward pass over a draft said, and how far it was followed.

`Room` holds the rows at the end of a sequence that are reserved before it is known which tokens go
there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ...cache.branch import Branch
from ...cache.pool import Arena
from ...cache.segment import Part, Step
from ...cache.sequence import CachedSequence
from .draft import Draft, Verified


class Room:
    """`draft.Rows` for one round: places count from the first unseen token.

    Nothing is reserved until a drafter asks. Whoever makes a room truncates the sequence again.
    """

    def __init__(
        self, sequence: CachedSequence | Branch, unseen: Sequence[int], draft_tokens: int
    ) -> None:
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


@dataclass
class Round:
    """Row 0 of `logits` follows `path`; row `i + 1` follows the draft's token `i`."""

    path: list[int]  # the completion when it began; its last `unseen` tokens were run here
    unseen: tuple[int, ...]
    drafter: str
    draft: Draft
    logits: Tensor  # (1 + draft, vocabulary)
    hidden: Tensor  # (unseen + draft, hidden)
    tapped: Mapping[int, Tensor]
    forward_ms: float
    _after: dict[tuple[int, int], int] = field(init=False)  # (draft index, token) -> draft index

    def __post_init__(self) -> None:
        parents = self.draft.parents or range(-1, len(self.draft.tokens) - 1)
        pairs = zip(parents, self.draft.tokens, strict=True)
        self._after = {}
        for index, pair in enumerate(pairs):
            self._after.setdefault(pair, index)

    def row(self, path: Sequence[int]) -> int | None:
        """The row of the logits after `path`; None if they are not here."""
        followed = self.followed(path)
        if followed is None or len(followed) < len(path) - len(self.path):
            return None
        return followed[-1] + 1 if followed else 0

    def followed(self, path: Sequence[int]) -> list[int] | None:
        """The draft's tokens that `path` goes along, by index; None if it is elsewhere."""
        start = len(self.path)
        if len(path) < start or list(path[:start]) != self.path:
            return None
        found: list[int] = []
        for token in path[start:]:
            index = self._after.get((found[-1] if found else -1, token))
            if index is None:
                break
            found.append(index)
        return found

    def outcome(self, drawn: Sequence[int]) -> Verified:
        """What the drafters are told, when the completion has come to `drawn`."""
        followed = self.followed(drawn)
        return Verified(
            tokens=(*self.unseen, *self.draft.tokens),
            unseen=len(self.unseen),
            draft=self.draft,
            drafter=self.drafter,
            accepted=len(followed or ()),
            taken=() if followed is None else tuple(drawn[len(self.path) :]),
            logits=self.logits,
            hidden=self.hidden,
            tapped=self.tapped,
        )

    def commit(
        self, sequence: CachedSequence | Branch, start: int, path: Sequence[int]
    ) -> tuple[int, Tensor | None]:
        """Leave in `sequence`, from `start` on, only what lies on `path`: how many tokens that is,
        and the hidden state (hidden,) of the last one if it is known."""
        followed = self.followed(path)
        if followed is None:
            known = shared(self.path, path)
            sequence.truncate(start + known)
            return known, None
        known = len(self.path) + len(followed)
        sequence.truncate(start + known)
        return known, self.hidden[len(self.unseen) - 1 + (followed[-1] + 1 if followed else 0)]


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common at their start."""
    for at, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return at
    return min(len(one), len(other))
