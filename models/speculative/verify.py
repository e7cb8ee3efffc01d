"""The one verifier: a model's logits after any continuation of a prompt, several at once where
drafts are right.

The decoding loops ask for the logits after the tokens that they have drawn, one token longer each
time, and never learn that there are drafts. Where the answer is not at hand, one forward pass runs
over the tokens that the model has not seen and over a draft of what may follow; as long as the
loop's own draws walk along the draft, its next questions are answered already. Where they leave
it, the rest of the draft is dropped. So speculation is exact for every way of drawing, greedy,
sampled or under a grammar, up to the rounding of an attention over several tokens at once.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor

from ...cache.branch import Branch
from ...cache.segment import Step
from ...cache.sequence import CachedSequence
from ..nn.transformer import Transformer
from .draft import Context, Draft, Verified
from .round import Room, Round, shared

MOST_DRAFT_TOKENS = 32

Prune = Callable[[Draft], Draft]  # takes out what can never be drawn, for instance by the grammar


class Guesser(Protocol):
    """Where the drafts of one completion come from, and who is told what became of them."""

    @property
    def taps(self) -> frozenset[int]:
        """Numbers of layers after which hidden states are wanted."""
        ...

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        """Whose draft it is, and the draft: at most `budget` tokens, which may be 0; none to
        decode plainly. Called before every forward pass."""
        ...

    def verified(self, verified: Verified, forward_ms: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Pass:
    """A forward pass whose tokens are in their sequence: `step`, from index `start` on."""

    path: list[int]
    unseen: tuple[int, ...]
    name: str  # whose draft it is
    draft: Draft
    room: Room
    step: Step
    start: int

    @property
    def tokens(self) -> tuple[int, ...]:
        return (*self.unseen, *self.draft.tokens)


class NoGuess:
    """Plain decoding."""

    taps: frozenset[int] = frozenset()

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        return "", Draft()

    def verified(self, verified: Verified, forward_ms: float) -> None:
        pass


def keep_all(draft: Draft) -> Draft:
    """Prunes nothing."""
    return draft


class Verifier:
    """One completion's way through the model. Owns the end of the sequence behind the prompt.

    A context manager: at its end the sequence holds the prompt and the tokens drawn, as far as
    the model has been run over them, and no draft.
    """

    def __init__(
        self,
        model: Transformer,
        sequence: CachedSequence | Branch,
        logits: Tensor,
        guesser: Guesser,
        limit_tokens: int,
        raise_if_cancelled: Callable[[], None] = lambda: None,
        prompt_tokens: int | None = None,
    ) -> None:
        """`sequence` holds exactly the prompt, after which come the `logits` (vocabulary,); more,
        which may be gone along or not, where `prompt_tokens` are fewer. At most `limit_tokens`
        will be drawn. `raise_if_cancelled` is called before every forward pass."""
        self.passes = 0  # forward passes so far
        self._model = model
        self._sequence = sequence
        self._prompt = tuple(sequence.tokens[:prompt_tokens])
        self._first = logits
        self._guesser = guesser
        self._limit_tokens = limit_tokens
        self._raise_if_cancelled = raise_if_cancelled
        self._round: Round | None = None
        self._drawn: list[int] = []  # the longest path told since the round

    def __enter__(self) -> "Verifier":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._settle(self._drawn)

    def logits(self, path: Sequence[int], prune: Prune = keep_all) -> Tensor:
        """(vocabulary,) after the prompt and `path`. `prune` is asked about a draft behind it."""
        self.drew(path)
        logits = self.known(path)
        if logits is None:
            self._raise_if_cancelled()
            self._round = self._run(list(path), prune)
            logits = self._round.logits[0]
        return logits

    def asks(self, path: Sequence[int], prune: Prune = keep_all) -> "Pass | None":
        """The forward pass that the logits after `path` take, to be run together with others';
        None where they are known. `answer` must follow, or the end."""
        self.drew(path)
        if self.known(path) is not None:
            return None
        return self._prepare(list(path), prune)

    def answer(self, ready: "Pass", logits: Tensor, hidden: Tensor, took_ms: float) -> None:
        """What came of a pass that was asked for: `logits` (1 + draft, vocabulary), and `hidden`
        (tokens, hidden) of the last layer."""
        self.passes += 1
        self._round = Round(
            ready.path, ready.unseen, ready.name, ready.draft, logits, hidden, {}, took_ms
        )
        self._drawn = ready.path

    def known(self, path: Sequence[int]) -> Tensor | None:
        """The logits after the prompt and `path`, without a forward pass."""
        if not path:
            return self._first
        row = None if self._round is None else self._round.row(path)
        return None if self._round is None or row is None else self._round.logits[row]

    def drew(self, path: Sequence[int]) -> None:
        """Tell of tokens whose logits may not be asked for: the last one of a completion."""
        elsewhere = self._round is not None and self._round.followed(path) is None
        if len(path) >= len(self._drawn) and not elsewhere:
            self._drawn = list(path)

    def _settle(self, path: Sequence[int]) -> tuple[int, Tensor | None]:
        """End the round: tell the guesser, and drop what does not lie on `path`. How many of its
        tokens the model has been run over, and the last one's hidden state (hidden,)."""
        ended, drawn, known, hidden = self._round, self._drawn, 0, None
        self._round, self._drawn = None, []
        if ended is not None:
            known, hidden = ended.commit(self._sequence, len(self._prompt), path)
            self._guesser.verified(ended.outcome(drawn), ended.forward_ms)
        else:
            known = shared(self._sequence.tokens[len(self._prompt) :], path)
            self._sequence.truncate(len(self._prompt) + known)
        return known, hidden

    def _run(self, path: list[int], prune: Prune) -> Round:
        """A round for the logits after `path`, which are its row 0."""
        ready = self._prepare(path, prune)
        try:
            with torch.inference_mode():
                round = self._forward(ready)
        except BaseException:
            self._sequence.truncate(ready.start)
            raise
        self._drawn = path
        return round

    def _prepare(self, path: list[int], prune: Prune) -> "Pass":
        """Have the tokens in the sequence that a pass for the logits after `path` is to run."""
        known, hidden = self._settle(path)
        if known == len(path):  # back at an earlier place, whose logits are gone
            known, hidden = known - 1, None
        start = len(self._prompt) + known
        self._sequence.truncate(start)
        unseen = tuple(path[known:])
        budget = self._room_tokens(path, len(unseen))
        try:
            with torch.inference_mode():
                room = Room(self._sequence, unseen, budget)
                context = Context(self._prompt, path, len(unseen), room, hidden)
                name, draft = self._guesser.draft(context, budget)
                draft = prune(draft)
                return Pass(path, unseen, name, draft, room, room.fill(draft), start)
        except BaseException:
            self._sequence.truncate(start)
            raise

    def _forward(self, ready: "Pass") -> Round:
        """The forward pass over the unseen tokens and the draft."""
        began, model = time.perf_counter(), self._model
        path, unseen, draft, room = ready.path, ready.unseen, ready.draft, ready.room
        tokens = model.ids(ready.tokens)
        hidden, ran = model.embed(tokens), 0
        if draft.started is not None:
            ran = draft.started.layers
            done = draft.started.hidden[: len(tokens)]
            if len(done) < len(tokens):
                rest = room.step(len(done), len(tokens) - len(done))
                more = model.run(hidden[len(done) :], rest, room.arena, range(ran))
                done = torch.cat((done, more))
            hidden = done
        tapped: dict[int, Tensor] = {}
        for tap in sorted({t for t in self._guesser.taps if t > ran} | {model.config.layers}):
            hidden = model.run(hidden, ready.step, room.arena, range(ran, tap))
            tapped[tap] = hidden
            ran = tap
        logits = model.logits(hidden[len(unseen) - 1 :])
        if model.device.type == "cuda":
            torch.cuda.synchronize()  # the draw would wait anyway, and the time is to be known
        self.passes += 1
        took_ms = (time.perf_counter() - began) * 1000
        return Round(path, unseen, ready.name, draft, logits, hidden, tapped, took_ms)

    def _room_tokens(self, path: Sequence[int], unseen: int) -> int:
        """How long a draft may be."""
        sequence = self._sequence
        limits = [MOST_DRAFT_TOKENS, self._limit_tokens - len(path) - 1]
        if sequence.most_tokens is not None:
            limits.append(sequence.most_tokens - len(sequence) - unseen)
        if sequence.most_rows is not None:
            limits.append(sequence.most_rows - len(sequence) - unseen)
        return max(0, min(limits))
