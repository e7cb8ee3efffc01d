"""Decoding under a grammar: the same tokens as plain decoding until one of them cannot be right.

Greedy decoding takes the best token that the grammar allows. Sampling draws from the model
conditioned on the grammar (`align`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ..cache.sequence import CachedSequence
from .align import Aligner, Budget
from .aligned_trie import Support
from .decode import LIKELY_TOKENS, Decoder, Finish, Interrupted, Stops, Token
from .draft import Draft
from .fim import Prompt
from .guide import Guide, Place, Places
from .healing import agrees, consume
from .sampler import Sampler
from .verify import Guesser, Prune, keep_all

ALTERNATIVES = 64  # tried at one place before model and grammar are said to disagree
DISAGREE = "the model and the grammar disagree here"


class GuidedDecoder:
    """Generates under a grammar, called like `Decoder.generate`."""

    def __init__(self, decoder: Decoder, clock: Callable[[], float] = time.monotonic):
        """`clock` in seconds, as the deadline's: when it draws near, restarts give way."""
        self._decoder = decoder
        self._clock = clock
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
        guesser: Guesser | None = None,
    ) -> Iterator[Token]:
        """Continue from the `logits` (vocabulary,) after the prompt, all that `sequence` holds.

        `first` is tried before all else at the first place. `guesser` makes it faster and changes
        no token. Raises `Interrupted`.
        """
        places = Places(guide, prompt, stops.rule, self._token_bytes)
        run = _Run(
            self._decoder, sequence, prompt, logits, stops, cancelled, guide, guesser, self._clock
        )
        with run.verifier:
            if sampler.greedy:
                yield from self._greedy(run, places, first)
            else:
                yield from self._sampled(run, places, sampler)

    def _greedy(self, run: "_Run", places: Places, first: int | None) -> Iterator[Token]:
        place, path = places.start(), []
        while True:
            prune = partial(_allowed, places, place, run.stops)
            logits = run.agreeing(run.raw(path, prune), place.pending)
            token, following = self._best(run, places, place, logits, first)
            first = None
            if following is None:
                yield Token(token, "", Finish.EOS)
                return
            place = following
            path.append(token)
            run.verifier.drew(path)
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
        if guide.trie is None:
            prompt, stops = run.prompt.tokens, run.stops.tokens
            guide.trie = guide.remembered.trie(sampler.sampling, prompt, places, run.narrow, stops)
        trie, reached = guide.trie, guide.trie.root

        def logits(path: Sequence[int]) -> Tensor:
            nonlocal reached
            reached = trie.root
            for token in path:
                reached = reached.children[token]
            return run.logits(path, partial(_allowed, places, reached.state, run.stops))

        aligner = Aligner(trie, logits, sampler.probabilities, eager_tokens=0)
        budget = Budget(run.stops.limit_tokens, time_used=run.time_used)
        base = len(run.prompt.tokens)
        try:
            sample = aligner.sample(
                guide.mode, lambda at, attempt: sampler.uniform(base + at, attempt), budget
            )
        except Interrupted:  # what there is by then
            yield from (Token(node.token, node.state.piece) for node in reached.line()[1:])
            raise
        guide.count(refused=sample.refused, restarts=sample.restarts)
        guide.sampled(sample.mode, sample.bound)
        guide.remembered.tidy()
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
        guesser: Guesser | None,
        clock: Callable[[], float],
    ):
        self.prompt = prompt
        self.stops = stops
        self.guide = guide
        self.verifier = decoder.verifier(sequence, logits, stops, cancelled, guesser)
        self._decoder = decoder
        self._cancelled = cancelled
        self._clock = clock
        self._began = clock()

    def plain(self, sampler: Sampler) -> Iterator[Token]:
        """The candidate without a grammar."""
        return self._decoder.follow(
            self.verifier, self.prompt, sampler, self.stops, self._cancelled
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

    def logits(self, path: Sequence[int], prune: Prune) -> Tensor:
        """(vocabulary,) after the prompt and `path`, without the tokens that disagree with what
        the prompt has pending there."""
        pending = self.prompt.pending
        for token in path:
            if not pending:
                break
            pending, _ = consume(pending, self._decoder.token_bytes(token))
        return self._decoder.permitted(self.raw(path, prune), pending)

    def raw(self, path: Sequence[int], prune: Prune = keep_all) -> Tensor:
        """(vocabulary,) after the prompt and `path`."""
        before = self.verifier.passes
        logits = self.verifier.logits(path, prune)
        self.guide.count(model_calls=self.verifier.passes - before)
        return logits

    def time_used(self) -> float:
        """The share of the time until the deadline that is gone."""
        deadline = self.stops.deadline
        if deadline is None:
            return 0.0
        return (self._clock() - self._began) / max(1e-6, deadline - self._began)

    def narrow(self, old: Place, new: Place, support: Support) -> Support | None:
        """Of a support from before the user typed on: what agrees with what is pending now."""
        if new.pending == old.pending:
            return support
        return None if old.pending else support.only(self._decoder.agreeing(new.pending))


def _allowed(places: Places, place: Place, stops: Stops, draft: Draft) -> Draft:
    """The draft up to what the grammar refuses after `place`, or what ends the completion."""
    for index, token in enumerate(draft.tokens):
        following = None if token in stops.tokens else places.take(place, token)
        if following is None or following.over:
            return draft.first(index)
        place = following
    return draft


def _descending(logits: Tensor, first: int | None) -> Iterator[int]:
    """`first` if given, then the best tokens in order: one, and the rest only if asked for."""
    if first is not None:
        yield first
    yield int(logits.argmax())
    best = logits.topk(min(ALTERNATIVES, len(logits)))
    for token, value in zip(best.indices[1:].tolist(), best.values[1:].tolist(), strict=True):
        if value > float("-inf"):
            yield token
