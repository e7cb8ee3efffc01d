"""Choosing among drafts: plain numbers, no model."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.speculative.controller import (
    FIRST_REST,
    LONGEST_REST,
    NOTHING,
    WORTH,
    Arm,
    Controller,
    Plan,
    Tally,
)
from keyturn.models.speculative.pass_cost import CPU_SHAPE, Pace


class Fixed(Pace):
    """A device whose times are known."""

    def __init__(self, each: float) -> None:
        super().__init__()
        self._each = each

    def relative(self, tokens: int) -> float:
        return 1 + self._each * (tokens - 1)


def controller(each: float = 0.05) -> Controller:
    pace = Fixed(each)
    pace.saw(1, 40.0)
    return Controller(pace)


# region Pace
@given(st.floats(0.1, 1000), st.floats(1.0, 4.0))
def test_the_pace_of_any_device_is_learnt(one_ms: float, slope: float) -> None:
    pace = Pace(CPU_SHAPE)
    truth = {1: one_ms, 4: one_ms * (1 + 0.1 * slope), 8: one_ms * (1 + 0.4 * slope)}
    for _ in range(60):
        for tokens, ms in truth.items():
            pace.saw(tokens, ms)
    for tokens, ms in truth.items():
        assert pace.ms(tokens) == pytest.approx(ms, rel=0.05)


def test_a_slower_machine_is_noticed_from_any_number_of_tokens() -> None:
    pace = Pace()
    for tokens in (1, 8) * 10:
        pace.saw(tokens, 40 * pace.relative(tokens))
    for _ in range(30):
        pace.saw(8, 120 * CPU_SHAPE[8])
    assert pace.ms(1) > 60


def test_one_interruption_changes_little() -> None:
    pace = Pace()
    for _ in range(10):
        pace.saw(1, 40)
    pace.saw(1, 40_000)
    assert pace.ms(1) < 50


def test_more_tokens_than_were_ever_thought_of_cost_as_many_as_the_most() -> None:
    assert Pace().relative(1_000) == pytest.approx(max(CPU_SHAPE.values()))


# endregion
# region Plans
def test_a_draft_is_cut_where_another_token_costs_more_than_it_brings() -> None:
    plan = controller(0.05).offered("a", [0.9, 0.9, 0.9, 0.01, 0.01])
    assert plan.tokens == 3
    assert plan.gain == pytest.approx((1 + 0.9 + 0.81 + 0.729) / 1.15, rel=1e-6)


def test_nothing_is_drafted_where_a_second_token_costs_as_much_as_the_first() -> None:
    assert controller(1.0).offered("a", [0.9] * 8) == NOTHING
    assert controller(1.0).choose({"a": controller(1.0).offered("a", [0.9])}) == ("", NOTHING)


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0, 2))
def test_no_plan_is_worse_than_plain_decoding(confidences, each) -> None:
    plan = controller(each).offered("a", confidences)
    assert plan.gain >= 1
    assert plan.tokens <= len(confidences)


def test_the_drafter_that_gains_most_is_chosen_if_any_is_worth_it() -> None:
    plans = {"a": Plan(2, 1.2), "b": Plan(5, 1.4), "c": Plan(1, 1.1)}
    assert controller().choose(plans) == ("b", plans["b"])
    assert controller().choose({"a": Plan(1, WORTH - 0.01)}) == ("", NOTHING)
    assert controller().choose({}) == ("", NOTHING)


# endregion
# region Learning
def test_a_drafter_that_boasts_is_believed_less_and_one_that_understates_more() -> None:
    judge, chance = controller(), random.Random(1)
    for _ in range(300):
        judge.arm("boasts").count(0.9, chance.random() < 0.2)
        judge.arm("modest").count(0.3, chance.random() < 0.8)
    assert judge.arm("boasts").chance(0.9) < 0.35
    assert judge.arm("modest").chance(0.3) > 0.6
    assert judge.offered("boasts", [0.9] * 4).gain < judge.offered("modest", [0.3] * 4).gain


def test_what_is_long_past_weighs_little() -> None:
    tally = Tally()
    for hit in [True] * 500 + [False] * 100:
        tally.count(hit)
    assert tally.rate(0.5) < 0.25


def test_a_slow_drafter_is_asked_for_less_the_longer_it_takes() -> None:
    wished = []
    for ms in (0.0, 5.0, 20.0, 60.0):
        judge = Controller(Pace())
        judge.pace.saw(1, 40.0)
        judge.arm("exit").found(1, ms)
        wished.append(judge.wished("exit", 12, 0.7).tokens)
    assert wished == sorted(wished, reverse=True)
    assert wished[0] > 2
    assert wished[-1] == 0


def test_a_drafter_is_asked_for_one_token_until_it_is_known_what_that_costs() -> None:
    judge = Controller(Pace())
    assert judge.wished("exit", 12, 0.7) == NOTHING  # nor what a pass costs
    judge.pace.saw(1, 40.0)
    assert judge.wished("exit", 12, 0.7).tokens == 1


def test_what_was_known_of_a_drafter_before_decides_how_it_begins() -> None:
    def first(hope: float) -> int:
        judge = controller(0.1)
        judge.arm("exit").found(1, 8.0)
        return judge.wished("exit", 8, hope).tokens

    assert first(0.1) == 0
    assert first(0.35) == 1
    assert first(0.9) > 2


def test_a_drafter_that_finds_nothing_is_expected_to_find_less() -> None:
    judge = controller(0.1)
    before = judge.wished("exit", 8).gain
    for _ in range(20):
        judge.arm("exit").found(0, 0.0)
    assert judge.wished("exit", 8).gain < before


def test_where_drafts_are_right_anyway_a_costly_one_must_bring_more() -> None:
    """A token more saves less time where cheap drafts would have brought it soon."""
    judge = controller(0.02)
    judge.arm("exit").found(1, 6.0)
    assert judge.wished("exit", 8, 0.3).tokens > 0
    for _ in range(50):
        judge.drew(4, 50.0)
    assert judge.speed > 2.5
    assert judge.wished("exit", 8, 0.3) == NOTHING
    assert judge.wished("exit", 8, 0.9).tokens > 0
    for _ in range(50):
        judge.drew(1, 40.0)
    assert judge.wished("exit", 8, 0.3).tokens > 0


def test_an_arm_that_lost_is_tried_again_later() -> None:
    judge = controller(0.1)
    for _ in range(50):
        judge.arm("exit").count(0.9, False)
    assert judge.wished("exit", 8) == NOTHING
    for _ in range(2_000):
        judge.arm("exit").left_alone()
    assert judge.wished("exit", 8).tokens > 0


def asked_in(arm: Arm, rounds: int, saved_ms: float) -> list[int]:
    """The rounds in which an arm was asked that saves so much each time."""
    found = []
    for number in range(rounds):
        if arm.rest:
            arm.left_alone()
        else:
            found.append(number)
            arm.saved(saved_ms)
    return found


def test_an_arm_that_keeps_losing_rests_longer_and_longer() -> None:
    asked = asked_in(Arm(), 2_000, saved_ms=-4)
    rests = [b - a - 1 for a, b in pairwise(asked) if b - a > 1]
    assert rests[0] == FIRST_REST
    assert all(b == min(2 * a, LONGEST_REST) for a, b in pairwise(rests))
    assert len(asked) < 0.01 * 2_000


def test_an_arm_that_gains_is_asked_in_every_round_also_after_a_rest() -> None:
    arm = Arm()
    asked_in(arm, 100, saved_ms=-4)
    while arm.rest:
        arm.left_alone()
    arm.saved(40)  # the one time that it is asked
    assert len(asked_in(arm, 100, saved_ms=4)) == 100
    assert arm.next_rest == FIRST_REST


def test_rare_but_large_gains_are_weighed_by_time() -> None:
    """One round in four saves 30 ms and three lose 6 each: together they gain."""
    arm, asked = Arm(), 0
    for number in range(400):
        if arm.rest:
            arm.left_alone()
        else:
            asked += 1
            arm.saved(30 if number % 4 == 0 else -6)
    assert asked == 400


def test_a_resting_arm_is_not_wished_for() -> None:
    judge = controller(0.1)
    assert judge.wished("exit", 8).tokens > 0
    judge.arm("exit").rest = 1
    assert judge.wished("exit", 8) == NOTHING


# endregion
