"""Completions of one place exclude each other, and their probabilities say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.confidence import Confidence
from keyturn.models.confidence.rivals import agreeing


def firsts(*given: tuple[str, float]) -> list[float]:
    texts = [text for text, _ in given]
    known = agreeing(texts, [Confidence((0,), (likely,)) for _, likely in given])
    return [each.first_line(text) for each, text in zip(known, texts, strict=True) if each]


def test_different_first_lines_are_no_likelier_together_than_certain() -> None:
    assert firsts(("a", 0.9), ("b", 0.6)) == pytest.approx([0.6, 0.4])


def test_the_same_first_line_is_as_likely_in_each() -> None:
    assert firsts(("  a\nb", 0.3), ("  a\nc", 0.4), ("d", 0.5)) == pytest.approx([0.4, 0.4, 0.5])


def test_one_alone_stays_as_it_is_and_what_nobody_can_judge_unjudged() -> None:
    assert firsts(("a", 0.9)) == pytest.approx([0.9])
    assert agreeing(["a", "b"], [None, None]) == [None, None]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), max_size=6))
def test_whatever_was_estimated_the_distinct_ones_sum_to_one_at_most(given) -> None:
    likely = dict(zip([text for text, _ in given], firsts(*given), strict=True))
    assert sum(likely.values()) <= 1.0 + 1e-5
