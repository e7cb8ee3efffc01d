"""How long an answer is waited for follows from how long answers take."""

from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.remote.patience import (
    FIRST_SECONDS,
    LEAST_SECONDS,
    MOST_SECONDS,
    REST_SECONDS,
    Patience,
)


def test_it_is_learnt() -> None:
    patience = Patience()
    assert patience.seconds == FIRST_SECONDS
    for _ in range(20):
        patience.answered(0.2)
    assert 0.5 < patience.seconds < 0.7
    for _ in range(20):
        patience.answered(0.9)
    assert 2.0 < patience.seconds < 3.0


@given(st.lists(st.floats(0, 1e6), max_size=60))
def test_nobody_waits_for_ever_nor_gives_up_at_once(took: list[float]) -> None:
    patience = Patience()
    for each in took:
        patience.answered(each)
    assert LEAST_SECONDS <= patience.seconds <= MOST_SECONDS


def test_a_server_that_is_slow_twice_in_a_row_rests_longer_each_time() -> None:
    patience = Patience()
    assert not patience.waited()
    patience.in_time()
    assert not patience.waited()
    assert patience.waited()
    rests = [patience.rest() for _ in range(8)]
    assert rests[:3] == [REST_SECONDS[0], 2 * REST_SECONDS[0], 4 * REST_SECONDS[0]]
    assert rests[-1] == REST_SECONDS[1]
    patience.in_time()
    assert patience.rest() == REST_SECONDS[0]
