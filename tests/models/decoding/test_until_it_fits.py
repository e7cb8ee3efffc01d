"""A completion goes on, line by line, until the code below can follow."""

import copy
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.decoding.stops import Block, SingleLine
from keyturn.models.decoding.until_it_fits import MOST_LINES, UntilItFits


def fed(rule: UntilItFits, *pieces: str) -> tuple[str, bool]:
    kept = ""
    for piece in pieces:
        more, over = rule.feed(piece)
        kept += more
        if over:
            return kept, True
    return kept, False


def line(*fitting: str) -> UntilItFits:
    return UntilItFits(SingleLine("x = ", ""), lambda text: text in fitting)


def test_where_the_code_below_can_follow_at_once_it_ends_as_the_rule_does() -> None:
    assert fed(line("f(a)"), "f(", "a)", "\n", "more\n") == ("f(a)", True)


def test_it_goes_on_to_the_first_line_after_which_the_code_below_can_follow() -> None:
    rule = line("f(\n    a,\n)")
    assert fed(rule, "f(", "\n   ", " a,", "\n", ")", "\n", "y\n") == ("f(\n    a,\n)", True)


def test_blank_lines_are_no_ends() -> None:
    rule = line("a\n\n b")
    assert fed(rule, "a\n", "\n", " b", "\n") == ("a\n\n b", True)


def test_nothing_is_kept_of_blanks_of_which_nobody_knows_what_follows() -> None:
    rule = line()
    assert fed(rule, "f(", "\n", "    ") == ("f(", False)
    assert fed(rule, "a") == ("\n    a", False)


def test_it_gives_up_after_some_lines() -> None:
    text = "f(\n" + "    a,\n" * 50
    kept, over = fed(line(), text)
    assert over
    assert kept.count("\n") == MOST_LINES


def test_a_block_that_the_code_below_cannot_follow_goes_on_behind_it() -> None:
    rule = UntilItFits(Block("if a:"), lambda text: text.endswith("else:"))
    assert fed(rule, "\n    b\n", "c\n", "else:", "\n") == ("\n    b\nc\nelse:", True)


def test_a_whole_line_above_another_ends_as_it_did() -> None:
    rule = UntilItFits(SingleLine("    ", "x = 1"), lambda text: False)
    assert fed(rule, "y = 2", "\n") == ("y = 2\n    ", True)


@given(
    st.text("ab(\n ", max_size=30),
    st.lists(st.integers(0, 30), max_size=6),
    st.integers(0, 3),
    st.booleans(),
)
def test_it_is_the_same_however_the_text_comes_and_copies_go_on_alike(text, cuts, odd, block):
    def fits(said: str) -> bool:
        return len(said) % 4 == odd

    def fresh() -> UntilItFits:
        return UntilItFits(Block("if a:") if block else SingleLine("x", ""), fits)

    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[a:b] for a, b in pairwise(places)]
    by_characters = fed(fresh(), *text)
    assert fed(fresh(), *pieces) == by_characters
    rule, kept = fresh(), ""
    for piece in pieces:
        rule = copy.copy(rule)
        copy.copy(rule).feed("other\ntext\n")
        more, over = rule.feed(piece)
        kept += more
        if over:
            break
    assert kept == by_characters[0]
    assert text.startswith(kept)
