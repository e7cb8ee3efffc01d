"""Decoding under a grammar: the same tokens as plain decoding until one of them cannot be right.

Greedy decoding searches for the best completion that the grammar allows (`best_first`). Sampling
draws from the model conditioned on the grammar (`aligned_sampling`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from torch import Tensor

from ...api.report import Finish
from ...api.request import GrammarMode
from ...cache.sequence import CachedSequence
from ..decoding.decode import Decoder, Interrupted, Stops, Token
from ..decoding.sampler import Sampler
from ..prompts.fim import Prompt
from ..speculative.verify import Guesser
from .aligned_sampling import Aligned, Aligner
from .best_first import Among, BestFirst, Settled, anywhere, never
from .budget import budget_until
from .candidate_guard import CandidateGuard, GuideState
from .completion_tokens import behind, token_at, tokens_of
from .guide import Guide
from .trie import Node, Support, Trie


class GuidedDecoder:
    """Generates under a grammar, called like `Decoder.generate`."""

    def __init__(self, decoder: Decoder, clock: Callable[[], float] = time.monotonic):
        """`clock` in seconds, as the deadline's: when it draws near, restarts give way."""
        self._decoder = decoder
        self._clock = clock

    def generate(
        self,
        sequence: CachedSequence,
        prompt: Prompt,
        logits: Tensor,
        sampler: Sampler,
        stops: Stops,
        cancelled: Callable[[], bool],
        guide: Guide,
        guesser: Guesser | None = None,
        settles: bool = False,
        apart: bool = False,
    ) -> Iterator[Token]:
        """Continue from the `logits` (vocabulary,) after the prompt, all that `sequence` holds.

        Greedy completions of one `guide` after the first are the next best ones; `apart`, of
        those that have no text in common with an earlier one. Tokens come when
        nothing can take them back any more: at the end, or, where a greedy completion `settles`,
        after lines that may stand by themselves (`Guide.lasting`). It may end with lines that are
        not kept (`Guide.kept`).
        `guesser` makes it faster and changes no token. Raises `Interrupted`.
        """
        places = CandidateGuard(
            guide, prompt, stops.rule, self._decoder.token_bytes, sampler.greedy
        )
        run = _Run(
            self._decoder, sequence, prompt, logits, stops, cancelled, guide, guesser, self._clock
        )
        if not sampler.greedy:
            completion = self._sampled(run, places, sampler)
        elif guide.trie is None:
            completion = self._greedy(run, places, partial(_lasts, guide) if settles else never)
        else:
            completion = self._next_best(run, places, guide.trie, _blank if apart else anywhere)
        given: Node | None = None
        finished = False
        with run.verifier:
            try:
                for found in completion:
                    yield from tokens_of(found, stops.limit_tokens, sampler.greedy, given)
                    given, finished = found.node, run.whole(found)
            except Interrupted:  # what there is by then
                for node in behind(run.at, given):
                    yield token_at(node, None, sampler.greedy)
                raise
        if not finished:  # there is no other completion, or no end was found for it
            yield Token(min(stops.tokens), "", Finish.EOS)

    def _greedy(self, run: "_Run", places: CandidateGuard, settled: Settled) -> Iterator[Aligned]:
        guide = run.guide
        trie = guide.trie = Trie(places, run.stops.tokens)
        search = BestFirst(trie, partial(run.likely, places))
        found = None
        for found in search.greedy(guide.mode, run.budget, settled):
            if run.whole(found) or found.node is not trie.root:
                yield found
        assert found is not None, "a search ends with what it has found"
        run.note(found)
        if not run.whole(found):
            run.guide.disagree(found.node)
            yield from search.greedy(GrammarMode.OFF, run.budget, settled, found.node)

    def _next_best(
        self, run: "_Run", places: CandidateGuard, trie: Trie, among: Among
    ) -> Iterator[Aligned]:
        search = BestFirst(trie, partial(run.likely, places))
        found = search.another(run.guide.mode, run.budget, among)
        if found is not None:
            run.note(found)
            yield found

    def _sampled(self, run: "_Run", places: CandidateGuard, sampler: Sampler) -> Iterator[Aligned]:
        guide = run.guide
        if guide.trie is None:
            prompt, stops = run.prompt.tokens, run.stops.tokens
            guide.trie = guide.remembered.trie(sampler.sampling, prompt, places, run.narrow, stops)
        trie, base = guide.trie, len(run.prompt.tokens)

        def logits(path: Sequence[int]) -> Tensor:
            node = trie.root
            for token in path:
                node = node.children[token]
            return run.permitted(places, node)

        def uniform(at: int, attempt: int) -> float:
            return sampler.uniform(base + at, attempt)

        aligner = Aligner(trie, logits, sampler.probabilities, eager_tokens=0)
        found = aligner.sample(guide.mode, uniform, run.budget)
        run.note(found)
        guide.remembered.tidy()
        if not run.whole(found):
            run.guide.disagree(trie.root)
            found = aligner.sample(GrammarMode.OFF, uniform, run.budget)
        yield found


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
        self.guide = guide
        self.prompt = prompt
        self.stops = stops
        self.at: Node | None = None  # the last place that the model was asked about
        self.verifier = decoder.verifier(sequence, logits, stops, cancelled, guesser)
        self.budget = budget_until(stops, cancelled, clock)
        self._decoder = decoder

    def whole(self, found: Aligned) -> bool:
        """Whether a completion has an end: otherwise nothing grammatical was found."""
        return found.stopped or found.node.length >= self.stops.limit_tokens

    def note(self, found: Aligned) -> None:
        """Count a completion."""
        self.guide.count(refused=found.refused, restarts=found.restarts)
        self.guide.sampled(found.mode, found.bound)

    def likely(self, places: CandidateGuard, node: Node) -> Tensor:
        """(vocabulary,) after the node's path, without the tokens that disagree with what is
        pending there; of those that agree, the likely ones are enough."""
        return self._decoder.likely(self._logits(places, node), node.state.pending)

    def permitted(self, places: CandidateGuard, node: Node) -> Tensor:
        """(vocabulary,) after the node's path, without the tokens that disagree with what is
        pending there."""
        return self._decoder.permitted(self._logits(places, node), node.state.pending)

    def _logits(self, places: CandidateGuard, node: Node) -> Tensor:
        self.at = node
        before = self.verifier.passes
        prune = partial(places.allowed, node.state, self.stops.tokens)
        logits = self.verifier.logits(node.path(), prune)
        self.guide.count(model_calls=self.verifier.passes - before)
        return logits

    def narrow(self, old: GuideState, new: GuideState, support: Support) -> Support | None:
        """Of a support from before the user typed on: what agrees with what is pending now."""
        if new.pending == old.pending:
            return support
        return None if old.pending else support.only(self._decoder.agreeing(new.pending))


def _lasts(guide: Guide, node: Node) -> bool:
    """Whether lines are over with the node's token that may be shown as they are."""
    lines = node.state.text[: node.state.text.rfind("\n") + 1].rstrip()
    return "\n" in node.state.piece and guide.lasting(lines) == lines


def _blank(node: Node) -> bool:
    """Whether nothing to be seen stands before the node."""
    return not node.state.text.strip()
