"""Best-first search: the completions that the model likes best among those that the grammar allows.

A greedy completion takes, at every place, the token behind which most grammatical mass can be
left: P(a|u)·(1 − r(ua)). Until something is refused that is the likeliest token. A refusal moves
mass, and the completion goes back to the first place where another token now has more of it: that
is where the greedy completion of the model conditioned on the grammar parts from the model's own,
as far as it is known. What others there are comes best first: the likeliest branch that no
completion has taken yet, and the greedy completion behind it.

The search is bounded. When the model calls that it may lose, its seconds or its share of the time
are used up, the likeliest place where it has been and the model may stop is the end.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ...api.request import GrammarMode
from .aligned_sampling import Aligned, aligned
from .budget import Budget
from .trie import EPSILON, Node, Support, Trie

BEST_TOKENS = 256  # kept at a place, beside the stop tokens

Logits = Callable[[Node], Tensor]  # a place in the trie -> (vocabulary,) float
Settled = Callable[[Node], bool]  # whether a completion may not go back behind a place any more
Among = Callable[[Node], bool]  # whether a completion may begin to be another at a place


def never(node: Node) -> bool:
    """Everything can be taken back."""
    return False


def anywhere(node: Node) -> bool:
    """Every place will do."""
    return True


class Refusal:
    """Nothing grammatical is left where a search is."""


class BestFirst:
    """Searches one trie, which carries what is learnt from one completion to the next."""

    def __init__(self, trie: Trie, logits: Logits | None = None, best_tokens: int = BEST_TOKENS):
        """Without `logits`, whoever takes its `steps` must `expand` the places."""
        self._trie = trie
        self._logits = logits
        self._best_tokens = best_tokens

    def greedy(
        self, mode: GrammarMode, budget: Budget, settled: Settled = never, start: Node | None = None
    ) -> Iterator[Aligned]:
        """The greedy completion from `start`, by default the root: what is settled of it, as soon
        as it is, and all of it last.

        `gcd` draws again in place and goes back only from dead ends. If the completion has not
        stopped and is shorter than the limit, nothing grammatical was found.
        """
        for found in self.steps(mode, budget, settled, start):
            if isinstance(found, Node):
                assert self._logits is not None
                self.expand(found, self._logits(found))
            elif isinstance(found, Aligned):
                yield found

    def steps(
        self, mode: GrammarMode, budget: Budget, settled: Settled = never, start: Node | None = None
    ) -> Iterator[Node | Refusal | Aligned]:
        """`greedy`, step by step: a place comes where what the model says there is wanted, and has
        been given to `expand` when the next step is asked for; a refusal before others learn of it.
        """
        run = _Run(start or self._trie.root, mode)
        while not run.node.ended and run.node.length < budget.limit_tokens:
            if run.node.support is None:
                run.calls += 1
                yield run.node
            run.places.add(run.node)
            child = self._following(run.node, mode)
            if child is not None and not child.refused:
                run.node = child
                if settled(child):
                    run.floor = child
                    yield aligned(run, self._trie, run.calls)
                continue
            yield Refusal()
            run.refused += 1
            budget.raise_if_cancelled()
            refused = child or run.node
            refused.removed = 1.0
            self._trie.back_up(refused)
            if run.floor.refused:
                run.node = run.floor
                break
            run.node = self._back(run, refused, mode)
            if self._spent(run, budget):
                self._take_known_end(run)
                break
        else:
            # off, no place to be cut at is refused
            cut = not run.node.ended and mode is not GrammarMode.OFF
            if cut and not self._trie.may_be_cut(run.node):
                self._take_known_end(run)
        yield aligned(run, self._trie, run.calls)

    def another(self, mode: GrammarMode, budget: Budget, among: Among = anywhere) -> Aligned | None:
        """After a greedy completion, the next best: along the likeliest branch not yet taken at
        the places `among` which it may part from all others."""
        while (branch := self.branch(budget, among)) is not None:
            *_, found = self.greedy(mode, budget, start=branch)
            if found.stopped or found.node.length >= budget.limit_tokens:
                return found
        return None

    def expand(self, node: Node, logits: Tensor) -> None:
        """Note what the model says at a place, `logits` (vocabulary,)."""
        node.support = self._best(logits)

    # region steps

    def _following(self, node: Node, mode: GrammarMode) -> Node | None:
        """The child that is to come next, checked; None if none is left."""
        support = node.support
        assert support is not None, "every place on the way was asked about"
        weights = self._trie.weights(node, aligned=mode is not GrammarMode.GCD)
        best = int(weights.argmax())
        if weights[best] <= EPSILON:
            return None
        return self._trie.child(node, int(support.tokens[best]))

    def _back(self, run: "_Run", refused: Node, mode: GrammarMode) -> Node:
        """Where to go on after a refusal: the first place on its way that wants another token."""
        assert refused.parent is not None
        line = refused.line()
        if mode is GrammarMode.GCD:
            place = next(node for node in reversed(line[:-1]) if not node.refused)
        else:
            place = next(
                node
                for node, following in pairwise(line[run.floor.depth :])
                if self._following(node, mode) is not following or following.refused
            )
        run.restarts += place is not refused.parent
        return place

    def _spent(self, run: "_Run", budget: Budget) -> bool:
        """Whether the search has cost what it may. Where only tokens without bytes are refused,
        it is no search."""
        if run.mode is GrammarMode.OFF:
            return False
        lost = run.calls - (run.node.depth - run.first)
        return (
            lost >= budget.search_calls
            or budget.elapsed() * lost >= budget.search_seconds * run.calls > 0
            or run.refused >= budget.most_refusals
            or budget.time_used() >= budget.exact_until
        )

    def _take_known_end(self, run: "_Run") -> None:
        """End the run at the likeliest place where it has been and the model may stop, and that is
        not the very first; at its floor if there is none."""
        run.mode = max(run.mode, GrammarMode.APPROXIMATE, key=list(GrammarMode).index)
        run.node = run.floor
        ends = [
            (chance + np.log(p), node.depth, token, node)
            for node, chance in _expanded(run.floor)
            if node in run.places
            for token, p in self._stops(node)
            if node.depth and p > 0
        ]
        for _, _, token, node in sorted(ends, key=lambda end: end[:3], reverse=True):
            child = self._trie.child(node, token)
            if not child.refused:
                run.node = child
                return
            self._trie.back_up(child)

    def _stops(self, node: Node) -> Iterator[tuple[int, float]]:
        """The stop tokens that may come at a place, with their probabilities."""
        assert node.support is not None
        for token in self._trie.stop_tokens:
            at = node.support.index(token)
            if at is not None:
                yield token, float(node.support.probabilities[at])

    def branch(
        self,
        budget: Budget,
        among: Among = anywhere,
        least: float = 0.0,
        learns: bool = True,
    ) -> Node | None:
        """The likeliest child of any known place that no completion has gone to, and that is not
        one more way to end where one has ended; None if it is less likely than `least`. Unless it
        `learns`, other searches do not notice what is refused."""
        order = itertools.count()
        places = _expanded(self._trie.root)
        untried = [_Untried(node, chance) for node, chance in places if among(node)]
        heap = [(-each.best, next(order), each) for each in untried if each.tokens]
        heapq.heapify(heap)
        while heap:
            chance, _, here = heapq.heappop(heap)
            if least and -chance < math.log(least):
                return None
            child = self._trie.child(here.node, here.tokens.pop())
            siblings = here.node.children.values()
            if child.refused:
                if learns:
                    self._trie.back_up(child)
                budget.raise_if_cancelled()
            elif not (child.ended and any(s.ended and s is not child for s in siblings)):
                return child
            if here.tokens:
                heapq.heappush(heap, (-here.best, next(order), here))
        return None

    def _best(self, logits: Tensor) -> Support:
        best = logits.topk(min(self._best_tokens, len(logits))).indices
        stops = torch.tensor(sorted(self._trie.stop_tokens), dtype=best.dtype, device=best.device)
        kept = torch.cat((best, stops[stops < len(logits)])).unique()
        p = torch.softmax(logits[kept].double(), -1).cpu().numpy()
        tokens = kept.cpu().numpy().astype(np.int32)
        return Support(tokens[p > 0], p[p > 0])

    # endregion


class _Run:
    """One greedy completion under way."""

    def __init__(self, start: Node, mode: GrammarMode):
        self.node = start
        self.floor = start  # nothing above it is taken back
        self.first = start.depth
        self.mode = mode
        self.calls = 0  # of the model
        self.places: set[Node] = set()  # where it has been
        self.refused = 0
        self.restarts = 0


class _Untried:
    """The tokens at a place that nothing has gone to, the likeliest last."""

    def __init__(self, node: Node, chance: float):
        assert node.support is not None
        self.node = node
        tokens, p = node.support.tokens, node.support.probabilities
        self.tokens = [
            token
            for token in tokens[np.argsort(p, kind="stable")].tolist()
            if token not in node.children
        ]
        self._chance = chance

    @property
    def best(self) -> float:
        """The logarithm of the likeliest branch's probability."""
        support = self.node.support
        assert support is not None
        at = support.index(self.tokens[-1])
        assert at is not None
        return self._chance + float(np.log(support.probabilities[at]))


def _expanded(start: Node) -> Iterator[tuple[Node, float]]:
    """The places from `start` on whose support is known and behind which something is left, and
    the logarithm of their probability."""
    waiting = [(start, 0.0)]
    while waiting:
        node, chance = waiting.pop()
        if node.support is None or node.ended or node.refused:
            continue
        yield node, chance
        for token, child in node.children.items():
            at = node.support.index(token)
            if at is not None:
                waiting.append((child, chance + float(np.log(node.support.probabilities[at]))))
