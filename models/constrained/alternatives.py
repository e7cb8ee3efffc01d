"""The best completions of one prompt, searched side by side.

The first is the greedy one. Each of the others begins with the likeliest token that none before it
has taken at some place, and is greedy from there on: what `BestFirst.another` finds one after the
other. Here each begins as soon as the place where it parts from another is known, and one forward
pass continues all of them, which costs little more than a pass for one.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial

from ...api.request import GrammarMode
from ..decoding.decode import Decoder, Interrupted, Stops, Token
from ..prompts.fim import Prompt
from ..speculative.side_by_side import SideBySide
from ..speculative.verify import Prune, Verifier
from .aligned_sampling import Aligned
from .best_first import BestFirst, Refusal
from .budget import budget_until
from .candidate_guard import CandidateGuard
from .completion_tokens import behind, token_at, tokens_of
from .guide import Guide
from .trie import Node, Trie

MOST_WAYS = 4  # under way at once
EARLY = 0.001  # as likely a branch begins before the first completion has ended
NEW_WAYS = 2  # between two passes


class Way:
    """One completion under way."""

    def __init__(
        self, steps: Iterator[Node | Refusal | Aligned], verifier: Verifier, free: bool
    ) -> None:
        self._steps = steps
        self.verifier = verifier
        self.free = free  # to let others learn what is refused
        self.at: Node | None = None  # what the model says there is wanted
        self.held = False  # before a refusal
        self.over = False
        self.found: Aligned | None = None

    def go_on(self) -> None:
        """Up to the next question or the end, or to a refusal that it must not tell yet."""
        self.at, self.held = None, False
        for step in self._steps:
            if isinstance(step, Node):
                self.at = step
                return
            if isinstance(step, Aligned):
                self.found = step
            elif not self.free:
                self.held = True
                return
        self.over = True


class Alternatives:
    """Iterates over the completions of one prompt: the greedy one, then others as they end, and
    ends itself where nothing else is left. Where the greedy one is cut short, its tokens raise
    `Interrupted` behind the last that there is; later it is raised between two completions.
    """

    def __init__(
        self,
        decoder: Decoder,
        together: SideBySide,
        prompt: Prompt,
        stops: Stops,
        cancelled: Callable[[], bool],
        guide: Guide,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`together` begins right after the prompt."""
        self._decoder = decoder
        self._together = together
        self._guide = guide
        self._places = CandidateGuard(guide, prompt, stops.rule, decoder.token_bytes, or_lines=True)
        self._trie = guide.trie = Trie(self._places, stops.tokens)
        self._stops = stops
        self._budget = budget_until(stops, cancelled, clock)
        self._search = BestFirst(self._trie)
        self._ways: list[Way] = []  # under way; the first one is the first of them
        self._early = True  # it is not over

    def __iter__(self) -> Iterator[Iterator[Token]]:
        try:
            first = self._first()
        except Interrupted as interrupted:
            yield _cut_short(self._ways[0].at, interrupted)
            return
        yield self._over(first)
        self._early = False
        for way in self._ways:
            way.free = True
            if way.held:
                way.go_on()
        while True:
            for way in [way for way in self._ways if way.over]:
                self._ways.remove(way)
                if way is first:  # whose rows most others begin with
                    continue
                self._together.drop(way.verifier)
                if self._whole(way):
                    yield self._over(way)
            self._branch_off()
            if not self._ways:
                return
            self._ask()

    def _first(self) -> Way:
        """The greedy completion. What others do beside it does not change it: they wait where
        something is refused."""
        first = self._begin(self._guide.mode)
        while not first.over:
            self._branch_off()
            self._ask()
            if first.over and not self._whole(first):
                first = self._begin_again(first)
        return first

    def _over(self, way: Way) -> Iterator[Token]:
        assert way.found is not None, "a search ends with what it has found"
        self._note(way.found)
        return tokens_of(way.found, self._stops.limit_tokens, greedy=True)

    def _note(self, found: Aligned) -> None:
        self._guide.count(refused=found.refused, restarts=found.restarts)
        self._guide.sampled(found.mode, found.bound)

    def _whole(self, way: Way) -> bool:
        """Whether a completion has an end: otherwise nothing grammatical was found."""
        found = way.found
        assert found is not None, "a search ends with what it has found"
        return found.stopped or found.node.length >= self._stops.limit_tokens

    def _begin(self, mode: GrammarMode, start: Node | None = None, free: bool = True) -> Way:
        steps = self._search.steps(mode, self._budget, start=start)
        verifier = self._together.verifier([] if start is None else start.path())
        way = Way(steps, verifier, free)
        self._ways.append(way)
        way.go_on()
        return way

    def _begin_again(self, first: Way) -> Way:
        """The first completion anew, with nothing refused, and nothing else."""
        assert first.found is not None
        self._note(first.found)
        for way in self._ways:
            self._together.drop(way.verifier)
        self._ways.clear()
        self._guide.disagree(first.found.node)
        return self._begin(GrammarMode.OFF, first.found.node)

    def _branch_off(self) -> None:
        """Begin the next best completions; beside the first, if they are likely enough."""
        least = EARLY if self._early else 0.0
        for _ in range(min(NEW_WAYS, MOST_WAYS - len(self._ways))):
            branch = self._search.branch(self._budget, least=least, learns=not self._early)
            if branch is None:
                return
            self._begin(self._guide.mode, branch, free=not self._early)

    def _ask(self) -> None:
        """One forward pass, and every completion goes on as far as it is answered."""
        asking = [(way, node) for way in self._ways if (node := way.at) is not None]
        self._guide.count(model_calls=bool(asking))
        self._together.ask((way.verifier, node.path(), self._prune(node)) for way, node in asking)
        for way, _ in asking:
            while way.at is not None and self._answer(way, way.at):
                way.go_on()

    def _prune(self, node: Node) -> Prune:
        return partial(self._places.allowed, node.state, self._stops.tokens)

    def _answer(self, way: Way, node: Node) -> bool:
        """Whether a completion can go on from `node`, now that a pass has been run."""
        if node.support is None:
            path = node.path()
            logits = way.verifier.known(path)
            if logits is None:
                return False
            way.verifier.drew(path)
            self._search.expand(node, self._decoder.likely(logits, node.state.pending))
        return True


def _cut_short(node: Node | None, interrupted: Interrupted) -> Iterator[Token]:
    """The tokens up to a place that a completion had come to."""
    yield from (token_at(each, None, greedy=True) for each in behind(node))
    raise interrupted
