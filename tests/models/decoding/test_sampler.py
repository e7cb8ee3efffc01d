"""Sampling: the distribution against an independent numpy reference, and reproducible draws."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from keyturn.api.request import Sampling
from keyturn.models.decoding.sampler import Sampler, pick

LOGITS = torch.tensor([2.0, 1.0, 0.5, 0.0, -1.0, -1.0, -4.0, 1.5])


def reference(logits: np.ndarray, sampling: Sampling) -> np.ndarray:
    """By the words of the definition: sort, walk down, keep, renormalise."""
    z = logits.astype(np.float64) / sampling.temperature
    p = np.exp(z - z.max())
    p /= p.sum()
    kept, mass, least = set(), 0.0, 0.0
    for token in sorted(range(len(p)), key=lambda i: -p[i]):
        if mass >= sampling.top_p and p[token] < least:
            break
        kept.add(token)
        mass += p[token]
        least = p[token]
    kept &= {i for i in range(len(p)) if p[i] >= sampling.min_p * p.max()}
    q = np.array([p[i] if i in kept else 0.0 for i in range(len(p))])
    return q / q.sum()


SETTINGS = [
    Sampling(temperature=t, top_p=top_p, min_p=min_p)
    for t, top_p, min_p in itertools.product((0.3, 1.0, 2.5), (1.0, 0.9, 0.5), (0.0, 0.1, 0.5))
]


@pytest.mark.parametrize("sampling", SETTINGS, ids=str)
def test_probabilities_are_those_of_the_reference(sampling: Sampling) -> None:
    got = Sampler(sampling).probabilities(LOGITS).numpy()
    np.testing.assert_allclose(got, reference(LOGITS.numpy(), sampling), rtol=1e-5, atol=1e-7)


@settings(deadline=None)
@given(
    npst.arrays(
        np.float32, st.integers(2, 40), elements=st.integers(-800, 800).map(lambda i: i / 100)
    ),
    st.sampled_from([0.2, 0.7, 1.0, 1.7]),
    st.sampled_from([0.11, 0.53, 0.83, 0.97, 1.0]),
    st.sampled_from([0.0, 0.031, 0.29, 1.0]),
)
def test_probabilities_are_those_of_the_reference_for_any_logits(
    logits: np.ndarray, temperature: float, top_p: float, min_p: float
) -> None:
    sampling = Sampling(temperature, top_p, min_p)
    got = Sampler(sampling).probabilities(torch.from_numpy(logits)).numpy()
    want = reference(logits, sampling)
    if (got > 0).tolist() != (want > 0).tolist():  # float32 may disagree on a mass of exactly top_p
        return
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-7)


def test_removed_tokens_have_no_probability_at_all() -> None:
    masked = LOGITS.clone()
    masked[3] = -torch.inf
    p = Sampler(Sampling(temperature=1.0)).probabilities(masked)
    assert p[3] == 0
    assert torch.isclose(p.sum(), torch.tensor(1.0))


@pytest.mark.parametrize("sampling", [SETTINGS[9], SETTINGS[13], SETTINGS[22]], ids=str)
def test_many_draws_follow_the_distribution(sampling: Sampling) -> None:
    """Total variation and chi-square; the draws are fixed by the seed, so this never flickers."""
    draws = 20_000
    sampler = Sampler(sampling)
    counts = Counter(sampler.draw(LOGITS, position) for position in range(draws))
    p = reference(LOGITS.numpy(), sampling)
    observed = np.array([counts[i] for i in range(len(p))])
    assert observed[p == 0].sum() == 0
    assert 0.5 * np.abs(observed / draws - p).sum() < 0.015
    possible = p > 0
    chi_square = ((observed - draws * p)[possible] ** 2 / (draws * p)[possible]).sum()
    assert chi_square < 30  # 7 degrees of freedom at most: p = 0.0001


def test_inverse_transform_gives_every_token_its_share_of_the_unit_interval() -> None:
    p = torch.tensor([0.0, 0.25, 0.5, 0.0, 0.25, 0.0])
    steps = 1000
    counts = Counter(pick(p, (i + 0.5) / steps) for i in range(steps))
    assert counts == {1: 250, 2: 500, 4: 250}
    assert pick(p, 0.0) == 1
    assert pick(p, 1 - 2**-53) == 4


def test_a_draw_depends_on_seed_stream_position_and_attempt_and_on_nothing_else() -> None:
    flat = torch.zeros(1 << 16)
    keys = itertools.product((0, 1), (0, 1), (0, 1, 2), (0, 1))

    def draw(seed: int, stream: int, position: int, attempt: int) -> int:
        return Sampler(Sampling(1.0, seed=seed), stream).draw(flat, position, attempt)

    drawn = {key: draw(*key) for key in keys}
    assert len(set(drawn.values())) == len(drawn)
    assert {key: draw(*key) for key in reversed(drawn)} == drawn


def test_draws_of_one_position_do_not_depend_on_how_many_came_before() -> None:
    sampler = Sampler(Sampling(1.0, seed=7))
    forward = [sampler.draw(LOGITS, position) for position in range(50)]
    backward = [sampler.draw(LOGITS, position) for position in reversed(range(50))]
    assert forward == backward[::-1]


def test_greedy_takes_the_most_probable_token_and_the_lowest_id_of_equals() -> None:
    assert Sampler(Sampling()).draw(torch.tensor([0.0, 3.0, 3.0, 1.0]), 5) == 1
    assert Sampler(Sampling()).probabilities(torch.tensor([0.0, 3.0, 3.0])).tolist() == [0, 1, 0]


def test_a_low_temperature_tends_to_greedy() -> None:
    sampler = Sampler(Sampling(temperature=0.01))
    assert {sampler.draw(LOGITS, position) for position in range(100)} == {0}


def test_a_batch_of_positions_gives_the_rows_distributions() -> None:
    rows = torch.stack([LOGITS, LOGITS.flip(0)])
    sampler = Sampler(Sampling(0.8, top_p=0.8, min_p=0.05))
    batch = sampler.probabilities(rows)
    for row, p in zip(rows, batch, strict=True):
        assert torch.allclose(p, sampler.probabilities(row))


@pytest.mark.parametrize("temperature", [1e-45, 1e-40, 1e-30, 1e-6])
@pytest.mark.parametrize("top_p", [0.9, 1.0])
def test_hardly_any_temperature_is_greedy(temperature: float, top_p: float) -> None:
    logits = torch.cat((LOGITS * 10, torch.tensor([-torch.inf])))
    p = Sampler(Sampling(temperature, top_p)).probabilities(logits)
    assert p.tolist() == [1.0] + [0.0] * len(LOGITS)
