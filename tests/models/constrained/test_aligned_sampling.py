"""Drawing from the model conditioned on the grammar: against exact enumeration on small toys."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from keyturn.api.request import GrammarMode
from keyturn.models.constrained.aligned_sampling import Aligner
from keyturn.models.constrained.budget import Budget
from keyturn.models.constrained.trie import Anything, Node, Support, Trie
from support.models.toys import LETTERS, STOP, Letters, Text, Toy, noise, uniforms, variation


def draws(toy: Toy, mode: GrammarMode, count: int, fresh: bool) -> Counter[Text]:
    """Texts drawn; with a fresh trie every time, or one that learns."""
    uniform = uniforms(7)
    budget = Budget(limit_tokens=64, exact_restarts=10**9, approximate_restarts=10**9)
    found: Counter[Text] = Counter()
    aligner = toy.aligner()
    for _ in range(count):
        if fresh:
            aligner = toy.aligner()
        found[aligner.sample(mode, uniform, budget).tokens] += 1
    return found


@pytest.fixture(scope="module")
def toy() -> Toy:
    toy = Toy(depth=3, hostility=0.15, seed=38)
    assert 0.05 < toy.valid_share() < 0.7
    assert 8 <= len(toy.language) <= 60
    return toy


def test_exact_draws_from_the_model_conditioned_on_the_grammar(toy: Toy):
    found = draws(toy, GrammarMode.EXACT, 20_000, fresh=False)
    assert variation(toy.truth(), found) < noise(toy.truth(), 20_000) + 0.01


def test_exact_is_exact_from_the_first_sample(toy: Toy):
    found = draws(toy, GrammarMode.EXACT, 4_000, fresh=True)
    assert variation(toy.truth(), found) < noise(toy.truth(), 4_000) + 0.01


def test_local_masking_is_distorted_on_the_same_toy(toy: Toy):
    found = draws(toy, GrammarMode.GCD, 20_000, fresh=False)
    assert found.keys() <= set(toy.language)
    assert variation(toy.truth(), found) > 0.1


def test_approximate_lies_between_masking_and_exact(toy: Toy):
    truth = toy.truth()
    masked = variation(truth, draws(toy, GrammarMode.GCD, 2_000, fresh=True))
    stepped = variation(truth, draws(toy, GrammarMode.APPROXIMATE, 2_000, fresh=True))
    assert stepped < masked - 0.02


def test_asap_converges_as_its_samples_add_up(toy: Toy):
    first = draws(toy, GrammarMode.ASAP, 1_500, fresh=True)
    aligner, uniform = toy.aligner(), uniforms(3)
    budget = Budget(limit_tokens=64)
    for _ in range(1_000):
        aligner.sample(GrammarMode.ASAP, uniform, budget)
    later: Counter[Text] = Counter()
    for _ in range(8_000):
        later[aligner.sample(GrammarMode.ASAP, uniform, budget).tokens] += 1
    truth = toy.truth()
    masked = variation(truth, draws(toy, GrammarMode.GCD, 1_500, fresh=True))
    assert variation(truth, first) == pytest.approx(masked, abs=0.06)  # its first sample is GCD
    assert variation(truth, later) < noise(truth, 8_000) + 0.01


def grammaticality(toy: Toy, text: Text, ended: bool) -> float:
    """c(u), by enumeration: the share of the model's completions of `text` in the language."""
    if ended:
        return float(text in toy.language)
    p = toy.probabilities(text)
    reach = p[STOP] * (text in toy.language)
    if len(text) < toy.depth:
        reach += sum(p[t] * grammaticality(toy, (*text, t), False) for t in range(4) if p[t])
    return float(reach)


@given(
    seed=st.integers(0, 10_000),
    mode=st.sampled_from([GrammarMode.EXACT, GrammarMode.ASAP, GrammarMode.APPROXIMATE]),
)
def test_what_is_left_is_always_an_upper_bound_and_only_shrinks(seed: int, mode: GrammarMode):
    toy = Toy(depth=3, hostility=0.3, seed=seed)
    if not toy.language or toy.valid_share() < 0.01:
        return
    trie = toy.trie()
    aligner, uniform = toy.aligner(trie), uniforms(seed)
    before: dict[Node, float] = {}
    for _ in range(8):
        sample = aligner.sample(mode, uniform, Budget(limit_tokens=64))
        assert sample.tokens in toy.language
        for node in every(trie.root):
            text = tuple(t for t in node.path() if t != STOP)
            left = 1.0 - node.removed
            assert left >= grammaticality(toy, text, node.ended or node.token == STOP) - 1e-9
            assert left <= before.get(node, 1.0) + 1e-9
            before[node] = left
        assert sample.bound == pytest.approx(1.0 - trie.root.removed)


def every(node: Node) -> list[Node]:
    return [node, *itertools.chain.from_iterable(map(every, node.children.values()))]


def test_without_a_refusal_the_draw_is_what_plain_sampling_draws(toy: Toy):
    uniform = uniforms(1)
    trie = Trie(Anything(), frozenset({STOP}))
    sample = toy.aligner(trie).sample(GrammarMode.EXACT, uniform, Budget(limit_tokens=64))
    plain, again = [], uniforms(1)
    while (token := int(np.searchsorted(np.cumsum(toy.probabilities(tuple(plain))),
                                        again(0, 0), side="right"))) != STOP:  # fmt: skip
        plain.append(token)
    assert list(sample.tokens) == plain
    assert (sample.refused, sample.restarts) == (0, 0)


def test_exact_asks_the_model_once_for_each_prefix(toy: Toy):
    asked: list[Text] = []

    def logits(tokens: Sequence[int]) -> Tensor:
        asked.append(tuple(tokens))
        return toy.logits(tokens)

    aligner = Aligner(toy.trie(), logits, lambda z: torch.softmax(z, -1))
    calls = sum(
        aligner.sample(GrammarMode.EXACT, uniforms(2), Budget(limit_tokens=64)).model_calls
        for _ in range(50)
    )
    assert calls == len(asked) == len(set(asked))


def test_exact_becomes_approximate_and_then_local_as_time_runs_out(toy: Toy):
    used = {"share": 0.0}
    budget = Budget(limit_tokens=64, time_used=lambda: used["share"])
    seen = set()
    for share in (0.0, 0.7, 0.9):
        used["share"] = share
        for seed in range(60):
            sample = toy.aligner().sample(GrammarMode.EXACT, uniforms(seed), budget)
            if sample.refused:
                seen.add((share, sample.mode))
    assert seen == {
        (0.0, GrammarMode.EXACT),
        (0.7, GrammarMode.APPROXIMATE),
        (0.9, GrammarMode.GCD),
    }


def keep(old: Any, new: Any, support: Support) -> Support:
    return support


def test_a_root_that_follows_typing_asks_the_model_only_for_new_ground():
    toy = Toy(depth=4, hostility=0.3, seed=5)
    trie = toy.trie()
    aligner, uniform = toy.aligner(trie), uniforms(0)
    budget = Budget(limit_tokens=64, exact_restarts=10**9)
    samples = [aligner.sample(GrammarMode.EXACT, uniform, budget) for _ in range(300)]
    first = samples[-1].tokens[0]
    typed = toy.guard.start().feed(LETTERS[first : first + 1])
    assert typed is not None
    known = {tuple(n.path()) for n in every(trie.root.children[first]) if n.support is not None}
    assert not trie.follow([STOP, STOP], Letters(typed), keep)
    assert trie.follow([first], Letters(typed), keep)
    asked: list[Text] = []

    def logits(path: Sequence[int]) -> Tensor:
        asked.append((first, *path))
        return toy.logits((first, *path))

    moved = Aligner(trie, logits, lambda z: torch.softmax(z, -1))
    truth = {t[1:]: p for t, p in toy.truth().items() if t[:1] == (first,)}
    total = sum(truth.values())
    truth = {text: p / total for text, p in truth.items()}
    found = Counter(moved.sample(GrammarMode.EXACT, uniform, budget).tokens for _ in range(8_000))
    assert variation(truth, found) < noise(truth, 8_000) + 0.015
    assert not known & set(asked)


def test_a_root_that_stays_draws_the_same_again(toy: Toy):
    trie = toy.trie()
    budget = Budget(limit_tokens=64, exact_restarts=10**9)
    once = toy.aligner(trie).sample(GrammarMode.EXACT, uniforms(4), budget)
    for _ in range(2):
        assert trie.follow([], toy.guard, keep)
        again = toy.aligner(trie).sample(GrammarMode.EXACT, uniforms(4), budget)
        assert again.model_calls == 0 < once.model_calls
        assert (again.tokens, again.refused, again.bound) == (
            once.tokens,
            once.refused,
            once.bound,
        )


def test_what_the_user_has_begun_narrows_what_the_model_said(toy: Toy):
    trie, anything = toy.trie(), Anything()
    toy.aligner(trie).sample(GrammarMode.EXACT, uniforms(0), Budget(limit_tokens=64))
    begun = [0, 2]  # a token that is one of these
    assert trie.follow([], anything, lambda old, new, support: support.only(begun))
    assert trie.root.support is not None
    assert set(trie.root.support.tokens.tolist()) <= set(begun)
    assert trie.root.support.probabilities.sum() == pytest.approx(1.0)


def test_an_empty_language_ends_the_sample_with_nothing():
    class Nothing:
        def start(self) -> Any:
            return ()

        def take(self, state: Any, token: int) -> Any | None:
            return None

        def over(self, state: Any) -> bool:
            return False

        def may_stop(self, state: Any) -> bool:
            return False

        def may_be_cut(self, state: Any) -> bool:
            return True

        def counts(self, state: Any) -> bool:
            return True

    for mode in (GrammarMode.EXACT, GrammarMode.ASAP, GrammarMode.APPROXIMATE, GrammarMode.GCD):
        toy = Toy(depth=2, hostility=0.0, seed=1)
        aligner = toy.aligner(Trie(Nothing(), frozenset({STOP})))
        sample = aligner.sample(mode, uniforms(0), Budget(limit_tokens=8))
        assert (sample.tokens, sample.stopped) == ((), False)
        assert sample.bound == 0.0
