"""A model and a language small enough to enumerate: what the aligned samplers are measured by."""

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from keyturn.models.constrained.aligned_sampling import Aligner
from keyturn.models.constrained.best_first import BestFirst
from keyturn.models.constrained.trie import Trie
from keyturn.models.grammar.oracle import State
from support.models.finite import FiniteOracle

LETTERS = b"abcd"
STOP = len(LETTERS)
Text = tuple[int, ...]


@dataclass(frozen=True)
class Letters:
    """`trie.Guard` over an oracle's states, one letter a token."""

    first: State

    def start(self) -> State:
        return self.first

    def take(self, state: State, token: int) -> State | None:
        return state.feed(LETTERS[token : token + 1])

    def over(self, state: State) -> bool:
        return False

    def may_stop(self, state: State) -> bool:
        return state.can_finish()

    def may_be_cut(self, state: State) -> bool:
        return True

    def counts(self, state: State) -> bool:
        return True


class Toy:
    """A random model over four letters and a stop token, and a random finite language."""

    def __init__(self, depth: int, hostility: float, seed: int):
        self.depth = depth
        self._rng = np.random.default_rng(seed)
        self._tables: dict[Text, np.ndarray] = {}
        self.language = self._grow((), hostility)
        words = frozenset(bytes(LETTERS[t] for t in text) for text in self.language)
        self.guard = Letters(FiniteOracle(words).open("").state)

    def probabilities(self, text: Text) -> np.ndarray:
        """(5,) the model's next-token distribution; it always stops at full depth."""
        if text not in self._tables:
            p = self._rng.dirichlet([0.5] * 5)
            if len(text) >= self.depth:
                p = np.eye(5)[STOP]
            self._tables[text] = p
        return self._tables[text]

    def logits(self, tokens: Sequence[int]) -> Tensor:
        return torch.tensor(self.probabilities(tuple(tokens))).log()

    def truth(self) -> dict[Text, float]:
        """The model conditioned on the language, by enumeration."""
        mass = {text: self._likelihood(text) for text in self.language}
        total = sum(mass.values())
        return {text: p / total for text, p in mass.items()}

    def valid_share(self) -> float:
        return sum(map(self._likelihood, self.language))

    def aligner(self, trie: Trie | None = None) -> Aligner:
        return Aligner(trie or self.trie(), self.logits, lambda z: torch.softmax(z, -1))

    def search(self, trie: Trie | None = None) -> BestFirst:
        return BestFirst(trie or self.trie(), lambda node: self.logits(node.path()))

    def trie(self) -> Trie:
        return Trie(self.guard, frozenset({STOP}))

    def _likelihood(self, text: Text) -> float:
        steps = (self.probabilities(text[:i])[t] for i, t in enumerate((*text, STOP)))
        return math.prod(steps)

    def _grow(self, text: Text, hostility: float) -> list[Text]:
        """Texts whose every branch survives with 1 − hostility, so that dead ends come late."""
        found = [text] if len(text) >= 2 and self._rng.random() > hostility else []
        if len(text) < self.depth:
            for token in range(4):
                if self._rng.random() > hostility:
                    found += self._grow((*text, token), hostility)
        return found


def uniforms(seed: int) -> Callable[[int, int], float]:
    rng = random.Random(seed)
    return lambda position, attempt: rng.random()


def variation(truth: Mapping[Any, float], found: Counter[Any]) -> float:
    """Total variation distance of the empirical distribution."""
    count = found.total()
    texts = truth.keys() | found.keys()
    return sum(abs(truth.get(t, 0.0) - found[t] / count) for t in texts) / 2


def noise(truth: dict[Text, float], count: int) -> float:
    """The total variation that perfect sampling shows, on average over ten tries."""
    rng = np.random.default_rng(0)
    p = np.array(list(truth.values()))
    return float(np.mean([abs(rng.multinomial(count, p / p.sum()) / count - p).sum() / 2
                          for _ in range(10)]))  # fmt: skip
