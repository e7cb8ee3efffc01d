"""The odds of a drawn token, by softmax itself."""

import math

import pytest
import torch

from keyturn.models.decoding.odds import BEST_TOKENS, odds_of


def test_a_token_has_the_chance_that_softmax_gives_it_and_its_rival_the_best_other() -> None:
    logits = torch.tensor([1.0, 3.0, 2.0, -1.0])
    p = torch.softmax(logits.double(), 0)
    assert odds_of(logits, 1).chance == pytest.approx(float(p[1]))
    assert odds_of(logits, 1).rival == pytest.approx(float(p[2]))
    assert odds_of(logits, 3).rival == pytest.approx(float(p[1]))


def test_what_cannot_come_has_no_part_in_it() -> None:
    odds = odds_of(torch.tensor([5.0, -math.inf, -math.inf]), 0)
    assert (odds.chance, odds.rival) == (1.0, 0.0)
    assert odds_of(torch.tensor([2.0]), 0).rival == 0.0


def test_a_token_outside_the_best_has_no_chance() -> None:
    logits = torch.arange(2 * BEST_TOKENS, dtype=torch.float32)
    assert odds_of(logits, 3).chance == 0.0
