"""DEL: its numbers against the paper's formulas, and its tokens against plain decoding."""

import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaForCausalLM

from keyturn.models.nn.transformer import Transformer
from keyturn.models.speculative.early_exit.del_drafter import DelDrafter
from keyturn.models.speculative.early_exit.del_statistics import (
    Costs,
    DelRules,
    DelStatistics,
    tokens_per_cost,
)
from keyturn.models.speculative.early_exit.reader import RawReader
from support.models.layer_skip import LAYERS, layer_skip_model, text
from support.models.one_drafter import Only, complete
from support.models.tiny import oracle, ours, random_tokens

ROUNDS = st.lists(
    st.dictionaries(
        st.sampled_from([1, 2, 3]),
        st.lists(st.tuples(st.booleans(), st.floats(0.01, 1.0)), min_size=1, max_size=6),
        min_size=1,
    ),
    min_size=1,
    max_size=12,
)

# region Decisions


@given(st.floats(0, 0.99), st.integers(1, 11), st.integers(0, 17))
def test_tokens_per_layer_is_the_papers_closed_form(rate: float, exit_: int, length: int) -> None:
    closed = ((1 - rate ** (length + 1)) / (1 - rate)) / (length * exit_ + 12)
    assert tokens_per_cost(rate, exit_, 12, length) == pytest.approx(closed)


@given(ROUNDS)
def test_rates_and_thresholds_are_decayed_sums(
    rounds: list[dict[int, list[tuple[bool, float]]]],
) -> None:
    statistics = DelStatistics((1, 2, 3), Costs.in_layers((1, 2, 3), 4), DelRules())
    for shadows in rounds:
        statistics.add_round(shadows)
    for exit_, tally in statistics.tallies.items():
        own = [shadows[exit_] for shadows in rounds if exit_ in shadows]
        weighted = [
            (0.95 ** (len(own) - 1 - age), matched, confidence)
            for age, tokens in enumerate(own)
            for matched, confidence in tokens
        ]
        right = [(w, c) for w, matched, c in weighted if matched]
        wrong = [(w, c) for w, matched, c in weighted if not matched]
        if not weighted:
            assert tally.rate is None
            continue
        weight = sum(w for w, *_ in weighted)
        assert tally.rate == pytest.approx(sum(w for w, _ in right) / weight)
        if not right or not wrong:
            assert math.isnan(tally.threshold)
            continue
        means = [sum(w * c for w, c in side) / sum(w for w, _ in side) for side in (right, wrong)]
        assert tally.threshold == pytest.approx(sum(means) / 2)


@given(ROUNDS)
def test_the_choice_is_the_best_of_all_exits_and_lengths(
    rounds: list[dict[int, list[tuple[bool, float]]]],
) -> None:
    statistics = DelStatistics((1, 2, 3), Costs.in_layers((1, 2, 3), 4), DelRules())
    for shadows in rounds:
        statistics.add_round(shadows)
    rates = {e: tally.rate for e, tally in statistics.tallies.items() if tally.rate is not None}
    promises = {
        (e, d): sum(rate**i for i in range(d + 1)) / (d * e + 4)
        for e, rate in rates.items()
        for d in range(18)
    }
    assert promises[statistics.choose()] == pytest.approx(max(promises.values()))


def test_nothing_is_known_at_the_start() -> None:
    statistics = DelStatistics((1, 2), Costs.in_layers((1, 2), 3), DelRules())
    assert not statistics.begun()
    assert statistics.choose() == (1, 1)


def test_an_exit_that_is_never_right_promises_no_draft() -> None:
    statistics = DelStatistics((1, 2), Costs.in_layers((1, 2), 3), DelRules())
    statistics.add_round({1: [(False, 0.9)], 2: [(False, 0.9)]})
    assert statistics.choose()[1] == 0


def test_an_exit_pays_only_where_it_is_right_more_often_than_it_costs() -> None:
    costs = Costs({1: 2.0}, 10.0)
    for right, drafts in ((1, False), (3, True)):
        statistics = DelStatistics((1,), costs, DelRules())
        statistics.add_round({1: [(i < right, 0.5) for i in range(10)]})
        assert (statistics.choose()[1] > 0) is drafts


# endregion
# region Tokens


@pytest.fixture(scope="module")
def random_model() -> Transformer:
    return ours(oracle("llama"))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    length=st.integers(1, 40),
    count=st.integers(1, 30),
    rests=st.booleans(),
    exits=st.sets(st.sampled_from([1, 2]), min_size=1),
)
def test_the_tokens_are_those_of_plain_decoding(
    random_model: Transformer,
    temperature: float,
    seed: int,
    length: int,
    count: int,
    rests: bool,
    exits: set[int],
) -> None:
    prompt = random_tokens(length, seed)
    drafter = DelDrafter(
        random_model, sorted(exits), RawReader(random_model.head), rules=DelRules(rests=rests)
    )
    plain = complete(random_model, prompt, count, temperature=temperature)
    drafted = complete(random_model, prompt, count, Only(drafter, 3), temperature)
    assert drafted == plain


def test_shadow_tokens_are_what_each_exit_would_have_said(random_model: Transformer) -> None:
    """Against a second model run over the same text, layer by layer."""
    prompt = random_tokens(20)
    drafter = DelDrafter(random_model, [1, 2], RawReader(random_model.head))
    said = complete(random_model, prompt, 12, Only(drafter, 3))
    assert drafter.statistics.begun()
    counted = {e: sum(tally.counts) for e, tally in drafter.statistics.tallies.items()}
    assert counted[1] == pytest.approx(counted[2])
    assert 0 < counted[1] <= len(said)


# endregion
# region A model that was trained to exit


@pytest.fixture(scope="module")
def early() -> Transformer:
    return ours(layer_skip_model())


def workload(model: Transformer, drafter: DelDrafter | None) -> tuple[list[list[int]], float]:
    """Completions of both kinds of text: the tokens, and how many there are for what plain
    decoding spends on one (in layers, as in DEL's cost)."""
    said, layers, tokens = [], 0, 0
    for seed in range(2):
        for hard in (False, True):
            prompt = text(hard, 40, random.Random(seed))
            only = None if drafter is None else Only(drafter, LAYERS)
            said.append(complete(model, prompt, 100, only))
            tokens += 99  # the first one is the prompt's
            layers += 99 * LAYERS if only is None else only.layers_run
    return said, tokens * LAYERS / layers


@pytest.mark.slow
def test_on_a_layer_skip_model_del_gains_over_static_exits_and_plain_decoding(
    early: Transformer,
) -> None:
    reader, exits = RawReader(early.head), range(1, LAYERS)
    plain, one = workload(early, None)
    assert one == 1.0
    said, gain = workload(early, DelDrafter(early, exits, reader))
    assert said == plain
    assert gain > 2
    for exit_, length in ((1, 2), (1, 4), (1, 8), (1, 12), (2, 4), (2, 8), (LAYERS // 2, 4)):
        rules = DelRules(most_tokens=length, stop_early=False)
        said, static = workload(early, DelDrafter(early, [exit_], reader, rules=rules))
        assert said == plain
        assert gain > static, (exit_, length, gain, static)


@pytest.mark.slow
def test_an_untrained_model_gains_nothing_from_the_same_exits() -> None:
    """So the gain above is the training's, and `rests` finds out where there is none."""
    model = ours(_scrambled())
    reader = RawReader(model.head)
    plain, _ = workload(model, None)
    said, gain = workload(model, DelDrafter(model, range(1, LAYERS), reader))
    assert said == plain
    assert gain < 1.0
    said, rested = workload(
        model, DelDrafter(model, range(1, LAYERS), reader, rules=DelRules(rests=True))
    )
    assert said == plain
    assert rested > gain


def _scrambled() -> LlamaForCausalLM:
    """The same shape with weights that make every layer change its mind."""
    model = layer_skip_model(steps=0)
    torch.manual_seed(5)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    return model


# endregion
