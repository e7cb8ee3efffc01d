"""The alignment bench computes what it says, on one toy and few samples."""

import pytest

from keyturn.api.request import GrammarMode
from support.models.toys import Toy

from .alignment import Row, judge, next_sample


@pytest.fixture(scope="module")
def toy() -> Toy:
    return Toy(depth=3, hostility=0.15, seed=38)


@pytest.fixture(scope="module")
def rows(toy: Toy) -> dict[str, Row]:
    return {row.mode: row for row in judge(toy, draws=1_500, samples=(0, 10, 300))}


def test_the_chances_of_the_next_sample_add_up_to_one(toy: Toy):
    trie = toy.trie()
    chances = dict(next_sample(toy, trie, trie.root, (), 1.0, aligned=True))
    assert sum(chances.values()) == pytest.approx(1.0)
    assert chances.keys() <= set(toy.language)


def test_asap_begins_as_local_masking_and_converges_to_the_truth(rows: dict[str, Row]):
    asap, masked = rows[GrammarMode.ASAP].kl, rows[GrammarMode.GCD].kl
    assert asap[0] == masked[0] == masked[300] > 0.2
    assert asap[300] < 0.005


def test_exact_is_within_the_noise_and_the_others_are_not(rows: dict[str, Row]):
    assert rows[GrammarMode.EXACT].variation < rows[GrammarMode.EXACT].noise + 0.02
    assert (
        rows[GrammarMode.EXACT].variation
        < rows[GrammarMode.APPROXIMATE].variation
        < rows[GrammarMode.GCD].variation
    )


def test_exact_pays_with_model_calls_and_masking_does_not(rows: dict[str, Row]):
    assert rows[GrammarMode.GCD].calls_per_token == pytest.approx(1.0)
    assert rows[GrammarMode.EXACT].calls_per_token > 1.05
