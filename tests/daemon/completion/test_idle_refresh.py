"""Idle work stops at once for anything else, keeps its steps short, and can be turned down."""

import pytest

from keyturn.daemon.completion.idle_refresh import STEP_MS, IdleWork, Refresher


class Machine:
    """A clock that moves with the work: so many milliseconds per token, and per step."""

    def __init__(self, stale: int, token_ms: float, step_ms: float = 1.0):
        self.stale, self.token_ms, self.step_ms = stale, token_ms, step_ms
        self.now = self.worked = 0.0
        self.longest_ms = 0.0
        self.steps = 0

    def refresh(self, most_tokens: int) -> int:
        count = min(most_tokens, self.stale)
        self.stale -= count
        if count:
            took = self.step_ms + count * self.token_ms
            self.longest_ms = max(self.longest_ms, took if self.steps >= 4 else 0)
            self.steps += 1
            self.now += took / 1000
            self.worked += took / 1000
        return count

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def refresher(self, work: IdleWork, battery: bool = False) -> Refresher:
        return Refresher(work, lambda: battery, lambda: self.now, self.sleep)


@pytest.mark.parametrize("token_ms", [0.1, 1.0, 5.0, 9.0])
def test_steps_settle_below_what_typing_could_notice(token_ms: float) -> None:
    machine = Machine(3000, token_ms)
    assert machine.refresher(IdleWork.FULL).run(machine, lambda: False) == 3000
    assert machine.longest_ms <= STEP_MS


def test_anything_else_stops_it_within_a_step() -> None:
    machine = Machine(3000, 1.0)
    machine.refresher(IdleWork.FULL).run(machine, lambda: machine.steps >= 3)
    assert machine.steps == 3


def test_off_does_nothing() -> None:
    machine = Machine(3000, 1.0)
    assert machine.refresher(IdleWork.OFF).run(machine, lambda: False) == 0
    assert machine.steps == 0


@pytest.mark.parametrize("battery", [False, True])
def test_gentle_work_rests_three_quarters_of_the_time_and_so_does_any_on_battery(
    battery: bool,
) -> None:
    machine = Machine(1000, 1.0)
    work = IdleWork.FULL if battery else IdleWork.GENTLE
    machine.refresher(work, battery).run(machine, lambda: False)
    assert machine.worked / machine.now == pytest.approx(0.25, abs=0.01)


def test_a_rest_is_cut_short_too() -> None:
    machine = Machine(1000, 100.0)
    machine.refresher(IdleWork.GENTLE).run(machine, lambda: machine.now > 0.85)
    assert machine.now < 0.9


def test_where_a_single_token_takes_too_long_steps_are_not_made_of_single_tokens() -> None:
    machine = Machine(3000, token_ms=2.0, step_ms=25.0)
    machine.refresher(IdleWork.FULL).run(machine, lambda: False)
    assert machine.steps < 3000 / 3
    assert machine.longest_ms <= 25.0 + 8 * 2.0


def test_after_a_busy_moment_steps_are_short_again() -> None:
    machine = Machine(3000, token_ms=4.0)
    refresher = machine.refresher(IdleWork.FULL)
    machine.step_ms = 25.0
    refresher.run(machine, lambda: machine.steps >= 20)
    machine.step_ms, machine.steps, machine.longest_ms = 1.0, 0, 0.0
    refresher.run(machine, lambda: False)
    assert machine.longest_ms <= STEP_MS
