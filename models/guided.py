"""Decoding under a grammar: the same tokens as plain decoding until one of them cannot be right.

Greedy decoding takes the best token that the grammar allows. Sampling draws from the model
conditioned on the grammar (`align`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..cache.sequence import CachedSequence
from .align import Aligner, Budget, Mode
from .aligned_trie import Trie
from .decode import LIKELY_TOKENS, Decoder, Finish, Stops, Token, look_up, shared
from .fim import Prompt
from .guide import Guide, Place, Places
from .healing import agrees, consume
from .sampler import Sampler

ALTERNATIVES = 64  # tried at one place before model and grammar are said to disagree
DISAGREE = "the model and the grammar disagree here"


class GuidedDecoder:
    """Generates under a grammar, called like `Decoder.generate`."""

    def __init__(self, decoder: Decoder):
        self._decoder = decoder
        self._token_bytes = decoder.token_bytes

    def generate(
        self,
        sequence: CachedSequence,
        prompt: Prompt,
        logits: Tensor,
        sampler: Sampler,
        stops: Stops,
        cancelled: Callable[[], bool],
        guide: Guide,
        first: int | None = None,
    ) -> Iterator[Token]:
        """Continue from the `logits` (vocabulary,) after the prompt, all that `sequence` holds.

        `first` is tried before all else at the first place. Raises `Interrupted`.
        """
        run = _Run(self._decoder, sequence, prompt, logits, stops, cancelled, guide)
        places = Places(guide, prompt, stops.rule, self._token_bytes)
        if sampler.greedy:
            yield from self._greedy(run, places, first)
        else:
            yield from self._sampled(run, places, sampler)

    def _greedy(self, run: "_Run", places: Places, first: int | None) -> Iterator[Token]:
        place, path = places.start(), []
        while True:
            logits = run.agreeing(run.raw(path), place.pending)
            token, following = self._best(run, places, place, logits, first)
            first = None
            if following is None:
                yield Token(token, "", Finish.EOS)
                return
            place = following
            path.append(token)
            finish = Finish.LINES if place.over else None
            if not place.over and len(path) >= run.stops.limit_tokens:
                finish = Finish.TOKENS
            yield Token(token, place.piece, finish)
            if finish:
                return

    def _best(
        self, run: "_Run", places: Places, place: Place, logits: Tensor, first: int | None
    ) -> tuple[int, Place | None]:
        """The best allowed token and the place behind it, which is None behind a stop token."""
        for token in _descending(logits, first):
            if token in run.stops.tokens or not self._token_bytes(token):
                if places.may_stop(place):
                    return token, None
            else:
                following = places.take(place, token)
                if following is not None and not (
                    following.over and not places.may_stop(following)
                ):
                    return token, following
            run.guide.count(refused=1)
        run.guide.give_up(DISAGREE)
        token = int(logits.argmax())
        free = replace(place, state=run.guide.start)
        stopped = token in run.stops.tokens or not self._token_bytes(token)
        return token, None if stopped else places.take(free, token)

    def _sampled(self, run: "_Run", places: Places, sampler: Sampler) -> Iterator[Token]:
        guide = run.guide
        guide.trie = guide.trie or Trie(places, run.stops.tokens)
        aligner = Aligner(guide.trie, run.logits, sampler.probabilities, eager_tokens=0)
        budget = Budget(run.stops.limit_tokens, time_used=run.time_used)
        base = len(run.prompt.tokens)
        sample = aligner.sample(
            guide.mode, lambda at, attempt: sampler.uniform(base + at, attempt), budget
        )
        guide.count(refused=sample.refused, restarts=sample.restarts)
        mode = max(guide.use.mode, sample.mode, key=list(Mode).index)
        guide.use = replace(guide.use, mode=mode, bound=sample.bound)
        line = sample.node.line()[1:]
        if not line:  # nothing grammatical is left
            guide.give_up(DISAGREE)
            yield from run.plain(sampler)
        for node in line:
            finish = None
            if node is sample.node:
                finish = Finish.TOKENS
                if sample.stopped:
                    finish = Finish.LINES if node.state.over else Finish.EOS
            yield Token(node.token, "" if finish is Finish.EOS else node.state.piece, finish)


class _Run:
    """One candidate's way through the model."""

    def __init__(
        self,
        decoder: Decoder,
        sequence: CachedSequence,
        prompt: Prompt,
        logits: Tensor,
        stops: Stops,
        cancelled: Callable[[], bool],
        guide: Guide,
    ):
        self.prompt = prompt
        self.stops = stops
        self.guide = guide
        self._decoder = decoder
        self._sequence = sequence
        self._first = logits
        self._cancelled = cancelled
        self._began = time.monotonic()

    def plain(self, sampler: Sampler) -> Iterator[Token]:
        """The candidate without a grammar."""
        self._sequence.truncate(len(self.prompt.tokens))
        return self._decoder.generate(
            self._sequence, self.prompt, self._first, sampler, self.stops, self._cancelled
        )

    def agreeing(self, logits: Tensor, pending: bytes) -> Tensor:
        """(vocabulary,) without the tokens that disagree with `pending`; of those that agree, the
        likely ones are enough."""
        if not pending:
            return logits
        likely = logits.topk(min(LIKELY_TOKENS, len(logits))).indices.tolist()
        kept = [t for t in likely if agrees(self._decoder.token_bytes(t), pending)]
        if not kept:
            return self._decoder.permitted(logits, pending)
        index = torch.tensor(kept, device=logits.device)
        return torch.full_like(logits, -torch.inf).index_copy(0, index, logits[index])

    def logits(self, path: Sequence[int]) -> Tensor:
        """(vocabulary,) after the prompt and `path`, without the tokens that disagree with what
        the prompt has pending there."""
        pending = self.prompt.pending
        for token in path:
            if not pending:
                break
            pending, _ = consume(pending, self._decoder.token_bytes(token))
        return self._decoder.permitted(self.raw(path), pending)

    def raw(self, path: Sequence[int]) -> Tensor:
        """(vocabulary,) after the prompt and `path`, to where the sequence is cut back."""
        look_up(self.stops, self._cancelled)
        base, logits = len(self.prompt.tokens), self._first
        if path:
            known = shared(self._sequence.tokens[base:], path)
            known = min(known, len(path) - 1)
            self._sequence.truncate(base + known)
            logits = self._decoder.step(self._sequence, path[known:])
            self.guide.count(model_calls=1)
        return logits

    def time_used(self) -> float:
        """The share of the time until the deadline that is gone."""
        deadline = self.stops.deadline
        if deadline is None:
            return 0.0
        return (time.monotonic() - self._began) / max(1e-6, deadline - self._began)


def _descending(logits: Tensor, first: int | None) -> Iterator[int]:
    """`first` if given, then the best tokens in order: one, and the rest only if asked for."""
    if first is not None:
        yield first
    yield int(logits.argmax())
    best = logits.topk(min(ALTERNATIVES, len(logits)))
    for token, value in zip(best.indices[1:].tolist(), best.values[1:].tolist(), strict=True):
        if value > float("-inf"):
            yield token
