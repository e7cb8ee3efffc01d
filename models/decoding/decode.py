"""The decoding loop: bring the prompt into the sequence, then one token after another.

The loop draws every token itself, with randomness that depends on its position alone (sampler.py).
Whether the logits to draw from come one at a time or several at once is the verifier's affair.
"""

import codecs
import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ...api.report import Finish
from ...cache.sequence import CachedSequence
from ..nn.transformer import Transformer
from ..prompts.fim import Prompt
from ..prompts.healing import ByteIndex, agrees, consume
from ..speculative.draft import Draft
from ..speculative.round import shared
from ..speculative.side_by_side import Guesses, SideBySide
from ..speculative.verify import Guesser, NoGuess, Verifier
from .odds import Odds, odds_of
from .sampler import Sampler
from .stops import Anything, StopRule, line_feeds

LIKELY_TOKENS = 64


class Interrupted(Exception):
    """Decoding was cut short from outside; the sequence is whole."""

    def __init__(self, finish: Finish) -> None:
        super().__init__(finish)
        self.finish = finish


@dataclass(frozen=True, slots=True)
class Token:
    """One accepted token. `text` is what it adds to the completion: nothing while a character is
    incomplete, while bytes of the prompt are pending, or where the stop rule holds it back.
    `odds`, where it was not drawn at random, are among those that agree with what is pending; to
    the last bit, they depend on how many tokens the model was asked about at once."""

    id: int
    text: str
    finish: Finish | None = None
    odds: Odds | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Stops:
    """All that ends a completion but the caller's cancel. `rule` is used up by one completion."""

    tokens: frozenset[int]
    limit_tokens: int
    rule: StopRule = field(default_factory=Anything)
    deadline: float | None = None  # by time.monotonic(), seconds


class Alphabet(Protocol):
    """What decoding asks of a tokenizer."""

    vocabulary: int

    def encode(self, text: str) -> list[int]: ...
    def token_bytes(self, token: int) -> bytes: ...


class Decoder:
    """Generates with one model. Owns the index of its tokens by bytes; everything else is given."""

    def __init__(self, model: Transformer, tokenizer: Alphabet) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._index: ByteIndex | None = None  # takes a while to build

    def decode(
        self,
        sequence: CachedSequence,
        prompt: Prompt,
        sampler: Sampler,
        stops: Stops,
        cancelled: Callable[[], bool],
    ) -> Iterator[Token]:
        """Complete `prompt` in `sequence`, which may hold the start of it already.

        Ends with a token whose `finish` says why. Raises `Interrupted` between two steps when
        `cancelled()` or past the deadline.
        """
        logits = self.prefill(sequence, prompt.tokens, stops, cancelled)
        yield from self.generate(sequence, prompt, logits, sampler, stops, cancelled)

    def prefill(
        self,
        sequence: CachedSequence,
        tokens: Sequence[int],
        stops: Stops,
        cancelled: Callable[[], bool],
    ) -> Tensor:
        """Make `tokens` all of `sequence`, keeping what it has of them; the last one's logits."""
        assert tokens, "a model cannot continue nothing"
        sequence.truncate(min(shared(sequence.tokens, tokens), len(tokens) - 1))
        hidden = None
        while len(sequence) < len(tokens):
            self._model.stride.keep_up()
            raise_if_cancelled(stops.deadline, cancelled)
            chunk = tokens[len(sequence) : len(sequence) + self._model.stride.tokens]
            with self._model.stride.step(len(chunk)):
                hidden = self._advance(sequence, chunk)
        assert hidden is not None
        return self._logits(hidden)

    def generate(
        self,
        sequence: CachedSequence,
        prompt: Prompt,
        logits: Tensor,
        sampler: Sampler,
        stops: Stops,
        cancelled: Callable[[], bool],
        first: int | None = None,
        guesser: Guesser | None = None,
    ) -> Iterator[Token]:
        """Continue from the `logits` (vocabulary,) after the prompt, all that `sequence` holds.

        `first` takes the place of the first draw, to fork a completion. `guesser` makes it faster
        and changes no token. Raises `Interrupted`.
        """
        with self.verifier(sequence, logits, stops, cancelled, guesser) as verifier:
            yield from self.follow(verifier, prompt, sampler, stops, cancelled, first)

    def follow(
        self,
        verifier: Verifier,
        prompt: Prompt,
        sampler: Sampler,
        stops: Stops,
        cancelled: Callable[[], bool],
        first: int | None = None,
    ) -> Iterator[Token]:
        """`generate` with a verifier of one's own."""
        pending, accepted = prompt.pending, 0
        path: list[int] = []
        text = _Text(stops)
        prune = partial(text.prune, self._tokenizer.token_bytes)
        while True:
            raise_if_cancelled(stops.deadline, cancelled)
            logits = self._possible(sampler, verifier.logits(path, prune), pending)
            token = first
            if token is None:
                token = sampler.draw(logits, len(prompt.tokens) + len(path))
            first = None
            odds = odds_of(logits, token) if sampler.greedy else None
            path.append(token)
            verifier.drew(path)
            data = self._tokenizer.token_bytes(token)
            if token in stops.tokens or not data:
                yield Token(token, "", Finish.EOS, odds)
                return
            pending, data = consume(pending, data)
            accepted += not pending
            piece, over = text.feed(data)
            finish = Finish.LINES if over else None
            if not over and accepted >= stops.limit_tokens:
                finish = Finish.TOKENS
            yield Token(token, piece, finish, odds)
            if finish:
                return

    def verifier(
        self,
        sequence: CachedSequence,
        logits: Tensor,
        stops: Stops,
        cancelled: Callable[[], bool],
        guesser: Guesser | None = None,
    ) -> Verifier:
        """For one completion of the prompt that `sequence` holds, after which come the `logits`
        (vocabulary,)."""
        return Verifier(
            self._model,
            sequence,
            logits,
            guesser or NoGuess(),
            stops.limit_tokens,
            partial(raise_if_cancelled, stops.deadline, cancelled),
        )

    def side_by_side(
        self,
        sequence: CachedSequence,
        logits: Tensor,
        stops: Stops,
        cancelled: Callable[[], bool],
        guesses: Guesses,
        pending: bytes = b"",
    ) -> SideBySide:
        """For several completions at once of the prompt that `sequence` holds, after which come the
        `logits` (vocabulary,); `pending` is what they repeat of it first."""
        return SideBySide(
            self._model,
            sequence,
            logits,
            stops.limit_tokens + len(pending),  # a token repeats one byte or more
            partial(raise_if_cancelled, stops.deadline, cancelled),
            guesses,
        )

    def _possible(self, sampler: Sampler, logits: Tensor, pending: bytes) -> Tensor:
        return self.likely(logits, pending) if sampler.greedy else self.permitted(logits, pending)

    def likely(self, logits: Tensor, pending: bytes) -> Tensor:
        """`permitted`, but of those that agree only the likely ones, if there are any: they are
        found without the index."""
        if not pending:
            return logits
        likely = logits.topk(min(LIKELY_TOKENS, len(logits))).indices.tolist()
        kept = [t for t in likely if agrees(self._tokenizer.token_bytes(t), pending)]
        return _only(logits, kept) if kept else self.permitted(logits, pending)

    def permitted(self, logits: Tensor, pending: bytes) -> Tensor:
        """`logits` (vocabulary,) with every token removed that disagrees with `pending` bytes."""
        if not pending:
            return logits
        return _only(logits, self.agreeing(pending))

    def agreeing(self, pending: bytes) -> list[int]:
        """The tokens that agree with `pending` bytes, of which there are some."""
        if self._index is None:
            self._index = ByteIndex(self._tokenizer, self._tokenizer.vocabulary)
        return self._index.agreeing(pending)

    def token_bytes(self, token: int) -> bytes:
        """A token's bytes; none for a special token."""
        return self._tokenizer.token_bytes(token)

    # region One forward pass
    @torch.inference_mode()
    def _advance(self, sequence: CachedSequence, tokens: Sequence[int]) -> Tensor:
        """Append `tokens`; the last one's hidden state (1, hidden). All or nothing."""
        before = len(sequence)
        step = sequence.append(tokens)
        try:
            hidden = self._model.embed(self._model.ids(tokens))
            return self._model.run(hidden, step, sequence.arena)[-1:]
        except BaseException:
            sequence.truncate(before)
            raise

    @torch.inference_mode()
    def _logits(self, hidden: Tensor) -> Tensor:
        return self._model.logits(hidden)[0]

    # endregion


class _Text:
    """A completion's text as it grows, for its stop rule."""

    def __init__(self, stops: Stops) -> None:
        self._stops = stops
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> tuple[str, bool]:
        """What may be kept of the text now, and whether the completion ends."""
        return self._stops.rule.feed(line_feeds(self._characters.decode(data)))

    def prune(self, token_bytes: Callable[[int], bytes], draft: Draft) -> Draft:
        """The draft up to a token that would end the completion."""
        characters = codecs.getincrementaldecoder("utf-8")("replace")
        characters.setstate(self._characters.getstate())
        rule = copy.copy(self._stops.rule)
        for index, token in enumerate(draft.tokens):
            data = token_bytes(token)
            if token in self._stops.tokens or not data:
                return draft.first(index)
            if rule.feed(line_feeds(characters.decode(data)))[1]:
                return draft.first(index)
        return draft


def _only(logits: Tensor, tokens: Sequence[int]) -> Tensor:
    index = torch.tensor(tokens, device=logits.device)
    return torch.full_like(logits, -torch.inf).index_copy(0, index, logits[index])


def raise_if_cancelled(deadline: float | None, cancelled: Callable[[], bool]) -> None:
    """Between steps: `Interrupted` once nobody wants the result, or `deadline` (by
    time.monotonic()) has passed."""
    if cancelled():
        raise Interrupted(Finish.CANCELLED)
    if deadline is not None and time.monotonic() >= deadline:
        raise Interrupted(Finish.DEADLINE)
