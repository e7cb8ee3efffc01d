"""What speaks for each line of a suggestion: taken from its tokens, wherever they begin and end."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.confidence.estimator import Estimator, fitted
from keyturn.models.confidence.evidence import NAMES, Said, Step, steps
from keyturn.models.decoding.odds import Odds

EVEN = Odds(0.5, 0.25)


def said(*texts: str, odds: Odds = EVEN) -> list[Said]:
    return [Said(text.encode(), odds) for text in texts]


def lines(text: str, tokens: list[Said]) -> dict[int, list[Step]]:
    found: dict[int, list[Step]] = {}
    for step in steps(text, tokens):
        found.setdefault(step.line, []).append(step)
    return found


def likelihood(tokens: int) -> float:
    p = 0.5**tokens
    return math.log(p / (1 - p))


def test_a_line_counts_the_token_that_ends_it() -> None:
    (line,) = lines("a(b)", said("a", "(b", ")", "\n")).values()
    assert [step.start for step in line] == [0, 1, 3]
    assert [step.features.likelihood for step in line] == pytest.approx(
        [likelihood(4), likelihood(3), likelihood(2)]
    )
    assert line[0].features.least_lead == pytest.approx(math.log(2))
    assert line[0].features.characters == pytest.approx(math.log(5))


def test_a_token_with_a_line_break_of_its_own_ends_its_line_itself() -> None:
    first, second = lines("f(\n    x", said("f", "(\n", "    x", "")).values()
    assert first[0].features.likelihood == pytest.approx(likelihood(2))
    assert (second[0].start, second[0].features.likelihood) == (3, pytest.approx(likelihood(2)))


def test_lines_are_found_again_where_what_is_shown_has_other_blanks() -> None:
    tokens = said("a", "\n\n", "        b", " c", "\n", "d")
    found = lines("a\r\n\r\n    b c", tokens)
    assert [step.start for step in found[1]] == [5, 11]
    assert found[1][0].features.likelihood == pytest.approx(likelihood(3))


def test_what_is_not_shown_of_a_token_does_not_move_the_others() -> None:
    (line,) = lines("é = 1", said("é", " = ", "1;")).values()
    assert [step.start for step in line] == [0, 2, 4]


def test_without_tokens_or_text_there_is_nothing_to_say() -> None:
    assert not list(steps("a", []))
    assert not list(steps("\n  ", said("\n", "  ")))
    assert fitted().confidence("a", []) is None


@given(st.lists(st.text("ab é\n(", min_size=0, max_size=4), min_size=1, max_size=12), st.data())
def test_every_start_lies_in_its_line_and_they_ascend(pieces, data) -> None:
    whole = "".join(pieces)
    text = whole[: data.draw(st.integers(0, len(whole)))]
    found = list(steps(text, said(*pieces)))
    starts = [step.start for step in found]
    assert starts == sorted(starts)
    solid = [line for line in text.split("\n") if line.strip()]
    assert len({step.line for step in found}) == len(solid)
    for step in found:
        line = text[: step.start].count("\n")
        assert text.split("\n")[line].strip()
        assert all(map(math.isfinite, step.features.values()))


def test_the_shipped_estimate_rises_with_what_the_model_gives() -> None:
    likely = [
        known.first_line("x = 1")
        for chance in (0.1, 0.5, 0.9, 0.999)
        if (known := fitted().confidence("x = 1", said("x", " = 1", "\n", odds=Odds(chance, 0.05))))
    ]
    assert likely == sorted(likely)
    assert likely[0] < 0.1
    assert likely[-1] > 0.9


def test_an_estimate_is_the_logistic_of_a_weighted_sum() -> None:
    estimator = Estimator(0.25, (0.5, 0.0, 1.0))
    assert NAMES == ("likelihood", "least_lead", "characters")
    known = estimator.confidence("ab", said("ab"))
    assert known is not None
    score = 0.25 + 0.5 * likelihood(1) + math.log(3)
    assert known.first_line("ab") == pytest.approx(1 / (1 + math.exp(-score)))
