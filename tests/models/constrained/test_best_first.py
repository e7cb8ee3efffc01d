"""The likeliest grammatical completions, against exact enumeration on small toys."""

import itertools
import math
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keyturn.api.request import GrammarMode
from keyturn.models.constrained.aligned_sampling import Aligned
from keyturn.models.constrained.best_first import BestFirst
from keyturn.models.constrained.budget import Budget
from keyturn.models.constrained.trie import Anything, Node, Trie
from support.models.toys import STOP, Text, Toy

BUDGET = Budget(limit_tokens=64, search_calls=10**6, most_refusals=10**6)
few = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 10_000)


def toy_of(seed: int, hostility: float = 0.3) -> Toy:
    toy = Toy(depth=3, hostility=hostility, seed=seed)
    assume(toy.language and toy.valid_share() > 1e-3)
    return toy


def greedy(
    toy: Toy, trie: Trie, mode: GrammarMode = GrammarMode.EXACT, budget: Budget = BUDGET
) -> Aligned:
    [found] = toy.search(trie).greedy(mode, budget)
    return found


def grammatical(toy: Toy, text: Text) -> float:
    """The share of the model's completions of `text` that are in the language, enumerated."""
    p = toy.probabilities(text)
    share = float(p[STOP]) * (text in toy.language)
    if len(text) < toy.depth:
        share += sum(float(p[t]) * grammatical(toy, (*text, t)) for t in range(4))
    return share


def plain(toy: Toy) -> list[int]:
    """What the model writes greedily without a grammar."""
    tokens: list[int] = []
    while (best := int(toy.probabilities(tuple(tokens)).argmax())) != STOP:
        tokens.append(best)
    return tokens


@few
@given(seed=SEEDS)
def test_where_nothing_is_refused_it_is_what_the_model_writes_by_itself(seed: int):
    toy = Toy(depth=3, hostility=0.3, seed=seed)
    found = greedy(toy, Trie(Anything(), frozenset({STOP})))
    assert list(found.tokens) == plain(toy)
    assert found.model_calls == len(found.tokens) + 1
    assert (found.refused, found.restarts, found.bound) == (0, 0, 1.0)


@few
@given(seed=SEEDS)
def test_at_no_place_has_another_token_more_grammatical_mass_than_the_one_taken_may_have(
    seed: int,
):
    toy = toy_of(seed)
    trie = toy.trie()
    found = greedy(toy, trie)
    assert found.tokens in toy.language
    for at, token in enumerate((*found.tokens, STOP)):
        text = found.tokens[:at]
        node = trie.root
        for step in text:
            node = node.children[step]
        p = toy.probabilities(text)
        taken = p[token] * (1 - node.children[token].removed)
        for other in range(4):
            if p[other] and len(text) < toy.depth:
                assert taken >= p[other] * grammatical(toy, (*text, other)) - 1e-9
        assert taken >= p[STOP] * (text in toy.language) - 1e-9


@few
@given(seed=SEEDS)
def test_what_is_known_of_every_place_is_the_sum_over_its_tokens(seed: int):
    toy = toy_of(seed)
    trie = toy.trie()
    greedy(toy, trie)
    search = toy.search(trie)
    for _ in range(6):
        waiting = [trie.root]
        while waiting:
            node: Node = waiting.pop()
            waiting += node.children.values()
            if node.support is not None and not node.refused:
                p = dict(zip(node.support.tokens.tolist(), node.support.probabilities, strict=True))
                gone = sum(p[token] * child.removed for token, child in node.children.items())
                assert node.removed == pytest.approx(gone, abs=1e-9)
        search.another(GrammarMode.EXACT, BUDGET)


def test_a_refusal_goes_back_to_where_another_token_has_more_mass_left():
    parted = 0
    for seed in range(200):
        toy = Toy(depth=3, hostility=0.3, seed=seed)
        if not toy.language or toy.valid_share() < 0.05:
            continue
        ours, local = greedy(toy, toy.trie()), greedy(toy, toy.trie(), GrammarMode.GCD)
        assert {ours.tokens, local.tokens} <= set(toy.language)
        parted += ours.tokens != local.tokens
    assert parted > 5


def test_over_many_toys_the_search_finds_likelier_texts_than_redrawing_in_place():
    better = worse = 0.0
    for seed in range(200):
        toy = Toy(depth=3, hostility=0.3, seed=seed)
        if not toy.language or toy.valid_share() < 0.05:
            continue
        truth = toy.truth()
        ours, local = greedy(toy, toy.trie()), greedy(toy, toy.trie(), GrammarMode.GCD)
        gain = truth[ours.tokens] - truth[local.tokens]
        better, worse = better + max(gain, 0.0), worse + max(-gain, 0.0)
    assert better > 2 * worse


@few
@given(seed=SEEDS)
def test_the_next_best_are_all_other_texts_of_the_language_each_of_them_once(seed: int):
    toy = toy_of(seed)
    trie = toy.trie()
    search = toy.search(trie)
    found = [greedy(toy, trie)]
    while (another := search.another(GrammarMode.EXACT, BUDGET)) is not None:
        found.append(another)
    texts = [each.tokens for each in found]
    likely = {text for text, p in toy.truth().items() if p > 0}
    assert len(texts) == len(set(texts))
    assert likely <= set(texts) <= set(toy.language)


@few
@given(seed=SEEDS)
def test_each_next_best_goes_along_the_likeliest_branch_that_is_left(seed: int):
    toy = toy_of(seed)
    trie = toy.trie()
    greedy(toy, trie)
    search = toy.search(trie)

    def chance(text: Text) -> float:
        return math.prod(float(toy.probabilities(text[:i])[t]) for i, t in enumerate(text))

    for _ in range(4):
        left: dict[Text, float] = {}
        for node in known(trie.root):
            place = tuple(node.path())
            for token in set(range(5)) - node.children.keys():
                if token == STOP:
                    alive = place in toy.language
                else:
                    alive = len(place) < toy.depth and grammatical(toy, (*place, token)) > 0
                if alive and chance((*place, token)) > 0:
                    left[*place, token] = chance((*place, token))
        another = search.another(GrammarMode.EXACT, BUDGET)
        if another is None:
            assert not left
            return
        whole = (*another.tokens, STOP)
        branch = next(whole[:at] for at in range(len(whole) + 1) if whole[:at] in left)
        assert left[branch] >= max(left.values()) * (1 - 1e-9)


def known(node: Node) -> list[Node]:
    """The places from a node on where the model was asked."""
    below = itertools.chain.from_iterable(map(known, node.children.values()))
    return [node, *below] if node.support is not None else []


@few
@given(seed=SEEDS, calls=st.integers(0, 3))
def test_a_search_that_may_cost_little_costs_little(seed: int, calls: int):
    toy = toy_of(seed, hostility=0.4)
    found = greedy(toy, toy.trie(), budget=Budget(limit_tokens=4, search_calls=calls))
    assert found.model_calls <= 4 + calls + 4
    if found.stopped:
        assert found.tokens in toy.language
    else:
        assert len(found.tokens) in (0, 4)


def test_time_that_runs_out_ends_a_search_at_an_end_that_is_known():
    kept = 0
    for seed in range(150):
        toy = Toy(depth=3, hostility=0.4, seed=seed)
        if not toy.language:
            continue
        late = Budget(limit_tokens=64, time_used=lambda: 0.7)
        found = greedy(toy, toy.trie(), budget=late)
        if found.mode is GrammarMode.APPROXIMATE and found.stopped:
            kept += 1
            assert found.tokens in toy.language
            assert found.refused == 1
    assert kept > 2


def test_a_refusal_may_interrupt_the_search():
    class Enough(Exception):
        pass

    def enough() -> None:
        raise Enough

    toys = (Toy(depth=3, hostility=0.3, seed=seed) for seed in range(100))
    toy = next(toy for toy in toys if greedy(toy, toy.trie()).refused)
    budget = Budget(64, raise_if_cancelled=enough)
    with pytest.raises(Enough):
        greedy(toy, toy.trie(), budget=budget)


def test_what_is_settled_is_not_taken_back():
    taken_back = 0
    for seed in range(200):
        toy = Toy(depth=3, hostility=0.3, seed=seed)
        if not toy.language or toy.valid_share() < 0.05:
            continue
        free = greedy(toy, toy.trie())
        parts = list(toy.search().greedy(GrammarMode.EXACT, BUDGET, lambda node: node.depth == 1))
        assert len(parts) <= 2
        settled, whole = parts[0].node.path(), parts[-1].node.path()
        assert whole[: len(settled)] == settled or len(parts) == 1
        taken_back += len(parts) == 2 and free.tokens[:1] != tuple(settled)
    assert taken_back > 1


def test_only_the_likeliest_tokens_of_a_place_are_kept_and_every_stop():
    toy = Toy(depth=3, hostility=0.3, seed=38)
    trie = toy.trie()
    list(BestFirst(trie, lambda node: toy.logits(node.path()), 2).greedy(GrammarMode.EXACT, BUDGET))
    support = trie.root.support
    assert support is not None
    best = sorted(range(4), key=lambda token: -toy.probabilities(())[token])[:2]
    assert set(best) <= set(support.tokens.tolist()) <= {*best, STOP}
    assert STOP in support.tokens
    assert support.probabilities.sum() == pytest.approx(1.0)


class Uncuttable(Anything):
    """Takes everything, but nothing that the limit ends is of any use."""

    def may_be_cut(self, state: object) -> bool:
        return False


def test_where_nothing_is_refused_any_more_the_limit_is_an_end_like_any_other():
    toy = Toy(depth=3, hostility=0.3, seed=1)
    budget = Budget(limit_tokens=1, search_calls=0)
    found = greedy(toy, Trie(Uncuttable(), frozenset({STOP})), GrammarMode.OFF, budget)
    assert len(found.tokens) == 1


@few
@given(seed=SEEDS)
def test_another_completion_may_be_held_to_part_from_the_first_at_the_start(seed: int):
    toy = toy_of(seed)
    trie = toy.trie()
    first = greedy(toy, trie)
    another = toy.search(trie).another(GrammarMode.EXACT, BUDGET, lambda node: node is trie.root)
    if another is not None:
        assert another.tokens[:1] != first.tokens[:1]


def test_a_search_that_has_lost_too_much_time_ends():
    clock = itertools.count()
    budget = replace(BUDGET, elapsed=lambda: float(next(clock)), search_seconds=2.0)
    restarts = 0
    for seed in range(100):
        toy = Toy(depth=6, hostility=0.5, seed=seed)
        trie = toy.trie()
        *_, found = toy.search(trie).greedy(GrammarMode.EXACT, budget)
        restarts = max(restarts, found.restarts)
    assert 0 < restarts < 8
