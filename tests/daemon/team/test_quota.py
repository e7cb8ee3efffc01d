"""How much one user may ask, whatever the others do."""

import pytest

from keyturn.daemon.team.quota import Quota, TooMuch
from keyturn.daemon.team.settings import Limits


class Hand:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_so_many_at_once() -> None:
    quota = Quota(Limits(at_once=2, burst=100), Hand())
    with quota.spend("ann"), quota.spend("ann"):
        with pytest.raises(TooMuch, match="at once"), quota.spend("ann"):
            raise AssertionError("refused before")
        with quota.spend("bob"):
            pass
    with quota.spend("ann"):
        pass


def test_only_so_many_in_a_while_and_then_as_many_as_have_been_earned() -> None:
    clock = Hand()
    quota = Quota(Limits(per_second=10, burst=5), clock)
    for _ in range(5):
        with quota.spend("ann"):
            pass
    with pytest.raises(TooMuch, match="a second") as refused, quota.spend("ann"):
        raise AssertionError("refused before")
    assert refused.value.seconds == pytest.approx(0.1)
    clock.now = 0.1
    with quota.spend("ann"):
        pass
    clock.now = 1_000.0  # nobody saves up for more than a burst
    for _ in range(5):
        with quota.spend("ann"):
            pass
    with pytest.raises(TooMuch), quota.spend("ann"):
        raise AssertionError("refused before")


def test_what_fails_is_over_too() -> None:
    quota = Quota(Limits(at_once=1), Hand())
    with pytest.raises(RuntimeError), quota.spend("ann"):
        raise RuntimeError
    with quota.spend("ann"):
        pass
