"""The prefixes tried so far: what the model gives each, and how much of it is ungrammatical.

A node u stands for a token prefix. `removed` is r(u), the probability under the model that a
completion which starts with u has run into something already found ungrammatical. It only grows,
and 1 − r(u) is an upper bound on the expected future grammaticality c(u) of ASAp (Park et al.,
NeurIPS 2024): drawing a ∝ P(a|u)·(1 − r(ua)) until something grammatical ends is drawing from the
model conditioned on the grammar.

The trie owns each node's support (the tokens that the sampler may draw there, with their
probabilities) and the removed mass. Whoever owns the trie owns its lifetime: one
prompt, one model, one setting of the sampler.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-9  # less of a node than this is left: rounding, not a chance

PRECISE_TOKENS = 4_096  # more than that are kept in half the memory


class Guard(Protocol):
    """The grammar as the trie needs it: over tokens, with opaque immutable states."""

    def start(self) -> Any:
        """The state at the cursor."""
        ...

    def take(self, state: Any, token: int, /) -> Any | None:
        """The state after `token`, or None to refuse it."""
        ...

    def over(self, state: Any, /) -> bool:
        """Whether the completion ends in `state` by itself, as at the end of its line."""
        ...

    def may_stop(self, state: Any, /) -> bool:
        """Whether the completion may end in `state`."""
        ...

    def may_be_cut(self, state: Any, /) -> bool:
        """Whether a completion that the limit ends in `state` is of use, all of it or its start."""
        ...

    def counts(self, state: Any, /) -> bool:
        """Whether the last token of `state` counts against a limit."""
        ...


@dataclass(frozen=True, slots=True)
class Support:
    """The tokens that may follow a prefix and their probabilities, which sum to one."""

    tokens: NDArray[np.int32]  # (kept,), ascending
    probabilities: NDArray[np.floating]  # (kept,), single precision if there are very many

    @classmethod
    def of(cls, probabilities: NDArray[np.floating]) -> "Support":
        """From a distribution over the whole vocabulary, most of it zero or not."""
        tokens = np.flatnonzero(probabilities).astype(np.int32)
        kept = probabilities[tokens].astype(np.float64)
        kept /= kept.sum()
        return cls(tokens, kept if len(kept) <= PRECISE_TOKENS else kept.astype(np.float32))

    def only(self, tokens: Sequence[int]) -> "Support | None":
        """What is left under the condition that the next token is one of `tokens`."""
        kept = np.isin(self.tokens, np.asarray(tokens, self.tokens.dtype))
        left = self.probabilities[kept]
        if left.sum() <= 0.0:
            return None
        return Support(self.tokens[kept], left / left.sum())

    def index(self, token: int) -> int | None:
        """Where the token is; None if it cannot follow."""
        at = int(np.searchsorted(self.tokens, token))
        return at if at < len(self.tokens) and self.tokens[at] == token else None


# From a node's state under the old guard, its state under the new one and its support: what is left
# of the support, or None to ask the model again.
Narrow = Callable[[Any, Any, Support], Support | None]


class Anything:
    """The guard that allows everything."""

    def start(self) -> Any:
        """Any object will do."""
        return ()

    def take(self, state: Any, token: int) -> Any | None:
        """Every token is fine."""
        return state

    def over(self, state: Any) -> bool:
        """Nothing ends but by a stop token."""
        return False

    def may_stop(self, state: Any) -> bool:
        """So is every end."""
        return True

    def may_be_cut(self, state: Any) -> bool:
        """And every start."""
        return True

    def counts(self, state: Any) -> bool:
        """Every token does."""
        return True


class Node:
    """One prefix. `removed` is 1 for a refused one; `support` is None until the model was asked."""

    __slots__ = (
        "before",
        "children",
        "depth",
        "ended",
        "gone",
        "length",
        "parent",
        "removed",
        "state",
        "support",
        "token",
    )

    def __init__(self, state: Any, parent: "Node | None" = None, token: int = -1):
        self.state = state
        self.parent = parent
        self.token = token
        self.depth: int = parent.depth + 1 if parent is not None else 0
        self.length: int = parent.length if parent is not None else 0  # tokens that count
        self.support: Support | None = None
        self.removed = 0.0
        self.gone: NDArray[np.float64] | None = None  # `removed` behind each token of the support
        self.ended = False  # the completion is over here; `token` is the one that ended it
        self.children: dict[int, Node] = {}
        self.before: Node | None = None  # the same prefix in the request before

    @property
    def refused(self) -> bool:
        """Whether nothing grammatical is left below."""
        return self.removed >= 1.0

    def path(self) -> list[int]:
        """The tokens from the root to here."""
        return [node.token for node in self.line()][1:]

    def line(self) -> "list[Node]":
        """The nodes from the root to here, both included."""
        line: list[Node] = []
        node: Node | None = self
        while node is not None:
            line.append(node)
            node = node.parent
        return line[::-1]


class Trie:
    """All prefixes tried for one prompt. Not thread-safe."""

    def __init__(self, guard: Guard, stop_tokens: frozenset[int]):
        self._guard = guard
        self.stop_tokens = stop_tokens
        self._narrow: Narrow = _all
        self.root = Node(guard.start())

    @property
    def bound(self) -> float:
        """An upper bound on the share of the model's completions that is grammatical."""
        return 1.0 - self.root.removed

    def child(self, node: Node, token: int) -> Node:
        """The node after `token`, checked against the grammar on the first visit.

        A refused one is marked at once; `back_up` tells its ancestors.
        """
        child = node.children.get(token)
        if child is None:
            if token in self.stop_tokens:
                child = Node(node.state, node, token)
                child.length += 1
                child.ended = self._guard.may_stop(node.state)
                child.removed = 0.0 if child.ended else 1.0
            else:
                child = Node(self._guard.take(node.state, token), node, token)
                child.length += child.state is not None and self._guard.counts(child.state)
                child.ended = child.state is not None and self._guard.over(child.state)
                refused = child.ended and not self._guard.may_stop(child.state)
                child.removed = 1.0 if child.state is None or refused else 0.0
            node.children[token] = child
            before = None if node.before is None else node.before.children.get(token)
            if before is not None:
                self._take_over(child, before)
        return child

    def may_be_cut(self, node: Node) -> bool:
        """Whether a completion that the limit ends at `node` is of use."""
        return self._guard.may_be_cut(node.state)

    def back_up(self, node: Node) -> None:
        """Carry what is known of `node` up to the root: r(u) = Σ P(a|u)·r(ua).

        Every ancestor gets the difference to what it knows, so siblings cost nothing.
        """
        while (parent := node.parent) is not None and parent.support is not None:
            at = parent.support.index(node.token)
            if parent.gone is None:
                parent.gone = np.zeros(len(parent.support.tokens))
            if at is None or node.removed == parent.gone[at]:
                return
            more = float(parent.support.probabilities[at] * (node.removed - parent.gone[at]))
            parent.gone[at] = node.removed
            left = 1.0 - parent.removed - more
            parent.removed = 1.0 - left if left > EPSILON else 1.0
            node = parent

    def weights(self, node: Node, aligned: bool = True) -> NDArray[np.float64]:
        """(kept,) weights of the next token: P(a|u)·(1 − r(ua)), unnormalised.

        Not `aligned`, only what is refused counts: the local mask of constrained decoding.
        """
        assert node.support is not None
        weights = node.support.probabilities.astype(np.float64)
        if node.gone is None:
            return weights
        return weights * (1.0 - node.gone if aligned else node.gone < 1.0)

    def follow(self, tokens: Sequence[int], guard: Guard, narrow: Narrow) -> bool:
        """Begin anew behind `tokens`, which the user has typed; False if that is new ground.

        What the model said there is taken over as it is needed, as far as `narrow` keeps it. What
        was refused is not: it is asked of the new `guard`, and drawing repeats itself exactly.
        """
        node = self.root
        for token in tokens:
            following = node.children.get(token)
            if following is None or following.refused or following.ended:
                return False
            node = following
        for old in _below(node):
            old.before = None
        self._guard, self._narrow = guard, narrow
        self.root = Node(guard.start())
        self._take_over(self.root, node)
        return True

    def release(self, node: Node, state: Any) -> None:
        """Forget what was refused below `node`, which is in `state` from now on. What the model
        said is taken over as it is needed."""
        before = Node(node.state)
        before.children, before.support = node.children, node.support
        for old in _below(before):
            old.before = None
        node.state, node.children, node.removed, node.gone = state, {}, 0.0, None
        node.before = before

    def size_tokens(self) -> int:
        """How many probabilities are kept."""
        nodes = [*_below(self.root), *(_below(self.root.before) if self.root.before else ())]
        supports = {id(node.support): node.support for node in nodes if node.support is not None}
        return sum(len(support.tokens) for support in supports.values())

    def _take_over(self, node: Node, before: Node) -> None:
        node.before = before
        if before.support is not None and not node.refused and not node.ended:
            node.support = self._narrow(before.state, node.state, before.support)


def draw(support: Support, weights: NDArray[np.float64], uniform: float) -> int | None:
    """The token that `uniform` in [0, 1) picks by inverse transform; None if no weight is left."""
    cumulative = np.cumsum(weights)
    total = float(cumulative[-1]) if len(cumulative) else 0.0
    if total <= EPSILON:
        return None
    at = int(np.searchsorted(cumulative, uniform * total, side="right"))
    while weights[min(at, len(weights) - 1)] <= 0:  # rounding at the very end
        at -= 1
    return int(support.tokens[min(at, len(weights) - 1)])


def _all(old: Any, new: Any, support: Support) -> Support:
    return support


def _below(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        following = waiting.pop()
        yield following
        waiting.extend(following.children.values())
