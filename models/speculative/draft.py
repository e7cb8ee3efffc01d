"""Drafts and drafters: the protocol between whatever guesses the next tokens and the one verifier
(verify.py).

A draft is never trusted. The decoding loop draws each token from the model's own logits with
randomness keyed by position, and a drafted token counts only if it is the one drawn. So a drafter
needs no proof of its own, whatever it proposes; it can only waste time.

A round is `propose` -> one forward pass -> the loop draws on -> `observe`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...cache.pool import Arena
from ...cache.segment import Step

Tokens = Sequence[int] | NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a completion goes. Tokens are those of the file, which may be longer than the prompt;
    what the prompt has pending is not among them, but `held`."""

    language: str
    before: Tokens  # left of the cursor
    after: Tokens = ()  # right of it
    others: Sequence[Tokens] = ()  # other open files, deleted lines; best last
    held: Sequence[int] = ()  # the prompt's last tokens, which it stops before: see healing.py


class Rows(Protocol):
    """Room at the end of the sequence, for a drafter that runs layers itself.

    Places count from the first unseen token: 0 .. `unseen` are the unseen tokens, what comes after
    them is the draft, up to the budget. What is written there is dropped again unless the draft
    hands it over as `Started`.
    """

    @property
    def arena(self) -> Arena: ...

    def step(self, start: int, count: int) -> Step:
        """The step for places `start .. start + count`, to be given to `Transformer.run` with the
        layers wanted. It sees the sequence and the places before it, which must have been run
        through the same layers."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """The point to guess from. Sequences are views: read them now, keep nothing of them."""

    prompt: Sequence[int]  # as the model sees it
    path: Sequence[int]  # the completion so far; not empty
    unseen: int  # the last of `path` that the model has not been run over: at least 1
    rows: Rows
    hidden: Tensor | None = None  # (hidden,) last layer, last token seen; None right after a prompt


@dataclass(frozen=True, slots=True)
class Started:
    """The first layers, already run by the drafter: verification goes on from there.

    `hidden` (places, hidden) is what layer `layers - 1` gave for the places from 0 on: at least
    the unseen tokens, at most the draft's too. Their keys and values of layers `0 .. layers` are
    in the rows. Places not covered are run through those layers by the verifier.
    """

    layers: int  # at least 1, fewer than the model has
    hidden: Tensor


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens that may follow. Empty: nothing worth trying.

    `confidences`: for each token, how likely the model takes it where it takes all before it, as
    the drafter sees it. The controller calibrates them, so only their order matters; they must be
    in [0, 1]. `parents`: for each token the index of the one before it, -1 for the path's end;
    parents come before children. Left out: each follows the one before it.
    """

    tokens: tuple[int, ...] = ()
    confidences: tuple[float, ...] = ()
    parents: tuple[int, ...] = ()
    started: Started | None = None  # chains only
    exit_layer: int | None = None  # for the answer's metadata

    def __post_init__(self) -> None:
        assert len(self.tokens) == len(self.confidences), self
        assert not self.parents or len(self.parents) == len(self.tokens), self
        assert all(parent < at for at, parent in enumerate(self.parents)), self
        if self.started is not None:
            assert self.started.layers > 0, self
            assert not self.parents, "a draft that was started is a chain"

    def first(self, count: int) -> "Draft":
        """Its first `count` tokens."""
        if count >= len(self.tokens):
            return self
        return Draft(
            self.tokens[:count],
            self.confidences[:count],
            self.parents[:count],
            self.started,
            self.exit_layer,
        )


@dataclass(frozen=True)
class Verified:
    """One round, when it is known what came of it. Also told of rounds without a draft.

    Its `n` tokens are the unseen ones (`unseen` of them) and then the draft's. `hidden` and
    `logits` are the model's own, whether a token was taken or not: what follows a rejected token
    is true of it as well. `taken` are the tokens that the loop drew after the unseen ones: first
    those that the draft had right, then the one that it had not, unless the completion ended
    before.
    """

    tokens: Sequence[int]  # n
    unseen: int
    draft: Draft  # as it was verified: perhaps shorter than proposed
    drafter: str  # whose it was; empty without a draft
    accepted: int  # of the draft
    taken: Sequence[int]
    logits: Tensor  # (1 + draft, vocabulary) float32: from the last unseen token on
    hidden: Tensor  # (n, hidden) of the last layer
    tapped: Mapping[int, Tensor] = field(default_factory=dict)  # layers run -> (n, hidden)


class Drafter(Protocol):
    """Guesses tokens for one model. Keeps what it learns, by language, from request to request.

    Used by the engine thread only. Nothing here may raise for lack of a good guess.
    """

    @property
    def name(self) -> str: ...

    @property
    def free(self) -> bool:
        """Whether proposing takes next to no time, so that it is asked in every round and its
        guesses are scored whether they are used or not. Otherwise it is asked only where the
        controller expects a gain, and its time is measured."""
        ...

    @property
    def taps(self) -> frozenset[int]:
        """Numbers of layers after which it wants to see hidden states (`Verified.tapped`)."""
        ...

    def begin(self, scene: Scene) -> None:
        """A completion starts. Called for each candidate of a request; what was learnt is kept."""
        ...

    def propose(self, context: Context, budget: int) -> Draft:
        """At most `budget` (at least 1) tokens after the path."""
        ...

    def observe(self, verified: Verified) -> None:
        """Learn from a round, also from those of other drafters and those without a draft."""
        ...
