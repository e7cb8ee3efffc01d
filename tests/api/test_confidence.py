"""Confidence: probabilities of the lines of a suggestion, from wherever one has come to in it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.confidence import Confidence, Correction, log_odds

TEXT = "a = f(x)\n\n    return a\n"
KNOWN = Confidence((0, 4, 9, 14), (0.4, 0.7, 0.8, 0.9))


def test_what_is_left_of_a_line_is_as_likely_as_from_the_token_that_one_is_in() -> None:
    assert [KNOWN.rest(at) for at in (0, 3, 4, 8)] == pytest.approx([0.4, 0.4, 0.7, 0.7])


def test_of_what_is_left_of_a_text_it_is_what_it_was_there() -> None:
    for count in range(len(TEXT)):
        rest = KNOWN.after(count)
        assert rest.starts[0] == 0
        for at in range(len(TEXT) - count):
            assert rest.rest(at) == KNOWN.rest(count + at)


def test_every_line_that_is_not_blank_has_a_probability_and_all_of_them_the_product() -> None:
    assert list(KNOWN.lines(TEXT)) == [(8, pytest.approx(0.4)), (22, pytest.approx(0.8))]
    assert KNOWN.first_line(TEXT) == pytest.approx(0.4)
    assert KNOWN.first_line("\n  " + TEXT) == pytest.approx(0.4)
    assert KNOWN.whole(TEXT) == pytest.approx(0.32)


def test_a_text_is_worth_showing_up_to_the_first_line_that_is_too_unlikely() -> None:
    falling = Confidence((0, 8), (0.9, 0.3))
    assert falling.worth("one = 1\ntwo = 2\nthree = 3", 0.2) == "one = 1\ntwo = 2\nthree = 3"
    assert falling.worth("one = 1\ntwo = 2\nthree = 3", 0.5) == "one = 1"
    assert falling.worth("one = 1\r\ntwo = 2", 0.5) == "one = 1"
    assert falling.worth("one = 1\ntwo = 2", 0.95) == ""


def test_a_text_is_cut_only_where_it_may_end() -> None:
    text = "if a:\n  b\nelse:\n  c"
    falling = Confidence((0, 6, 10, 16), (0.9, 0.6, 0.4, 0.2), ends=(9,))
    assert falling.worth(text, 0.5) == "if a:\n  b"
    assert falling.worth(text, 0.3) == "if a:\n  b"  # not with an `else:` of nothing
    assert falling.worth(text, 0.1) == text


def test_where_no_likely_line_may_be_the_last_as_many_more_are_shown_as_it_takes() -> None:
    text = "if a:\n  b\nelse:\n  c"
    falling = Confidence((0, 6, 10, 16), (0.9, 0.1, 0.1, 0.1), ends=(9,))
    assert falling.worth(text, 0.5) == "if a:\n  b"
    assert falling.after(2).worth(text[2:], 0.5) == " a:\n  b"
    assert replace(falling, ends=()).worth(text, 0.5) == text
    assert replace(falling, ends=None).worth(text, 0.5) == "if a:"
    assert falling.worth(text, 0.95) == ""


def test_the_first_line_can_be_given_another_probability() -> None:
    known = KNOWN.with_first_line(TEXT, 0.25)
    assert (known.first_line(TEXT), known.whole(TEXT)) == pytest.approx((0.25, 0.2))
    text = "\n" + TEXT
    later = Confidence((0, 1, 5, 10, 15), (0.9, 0.4, 0.7, 0.8, 0.9)).with_first_line(text, 0.25)
    assert (later.first_line(text), later.rest(0)) == pytest.approx((0.25, 0.9))


@given(st.floats(0, 1), st.floats(0.5, 2), st.floats(-1.5, 1.5))
def test_a_correction_keeps_probabilities_in_their_order(likely, slope, shift) -> None:
    correction = Correction(slope, shift)
    assert 0.0 <= correction.of(likely) <= 1.0
    assert correction.of(likely) <= correction.of(min(1.0, likely + 0.1)) + 1e-12


def test_no_correction_changes_nothing_and_a_shift_moves_the_odds() -> None:
    assert Correction().of(0.3) == pytest.approx(0.3)
    assert log_odds(Correction(1.0, 0.7).of(0.3)) == pytest.approx(math.log(0.3 / 0.7) + 0.7)
    corrected = Confidence((0,), (0.3,), Correction(1.0, 0.7))
    assert corrected.first_line("x") > 0.4
    assert corrected.uncorrected().first_line("x") == pytest.approx(0.3)


@pytest.mark.parametrize("broken", [((), ()), ((0, 1), (0.5,)), ((0,), (0.5, 0.5))])
def test_what_says_nothing_or_not_where_is_refused(broken) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        Confidence(*broken)
