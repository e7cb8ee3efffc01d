"""The small deciders: options, how much to suggest, how long to wait."""

import pytest

from keyturn.lsp.debounce import Debounce
from keyturn.lsp.extent import wants_block
from keyturn.lsp.options import Options


def test_options_are_read_in_either_case_and_bad_values_are_named():
    options, problems = Options().updated(
        {"maxTokens": 40, "multiline": "never", "disabled-languages": ["c"], "deadline_ms": "soon",
         "candidates": True, "colour": "red", "grammar": "strict", "speculate": "off"}
    )  # fmt: skip
    assert (options.max_tokens, options.multiline) == (40, "never")
    assert options.disabled_languages == ("c",)
    assert (options.deadline_ms, options.candidates) == (3_000, 3)
    assert (options.grammar, options.speculate) == ("exact", "off")
    named = [problem.split()[1] for problem in problems]
    assert named == ["deadline_ms", "candidates", "grammar", "there"]


def test_a_glob_with_a_slash_is_matched_against_the_path():
    options = Options(disabled_globs=("vendor/*", "/abs/*.py"))
    assert not options.allows("file:///home/vendor/x.py", "python", 1)
    assert not options.allows("file:///abs/x.py", "python", 1)
    assert options.allows("file:///home/x.py", "python", 1)


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("def f(x):|", True),
        ("if (x) {|\n}", True),
        ("def f():\n    |\n", True),
        ("x = fo|", False),
        ("x = f(|, y)", False),
        ("x = f(|)", True),
        ("|rest of the line", False),
        ("a\r\n|\r\nb", True),
    ],
)
def test_a_block_is_wanted_where_one_begins_and_never_inside_a_line(text: str, block: bool):
    offset = text.index("|")
    assert wants_block(text.replace("|", ""), offset) is block


def test_the_setting_decides_except_in_the_middle_of_a_line():
    assert wants_block("x = 1", 5, "always")
    assert not wants_block("x = 1", 2, "always")
    assert not wants_block("def f():", 8, "never")


def test_no_waiting_while_answers_come_faster_than_keys():
    debounce = Debounce()
    for now_ms in range(0, 2_000, 200):
        debounce.key(now_ms)
        debounce.answered(60)
    assert debounce.delay_ms(1_800, 500) == 0


def test_slow_answers_wait_for_a_pause_up_to_the_limit():
    debounce = Debounce()
    for now_ms in range(0, 2_000, 200):
        debounce.key(now_ms)
        debounce.answered(900)
    assert debounce.delay_ms(1_800, 500) == pytest.approx(250)
    assert debounce.delay_ms(1_900, 500) == pytest.approx(150)
    assert debounce.delay_ms(1_800, 100) == 100
    assert debounce.delay_ms(5_000, 500) == 0


def test_a_long_pause_is_not_taken_for_slow_typing():
    debounce = Debounce()
    debounce.answered(900)
    debounce.key(0)
    debounce.key(100)
    debounce.key(60_000)
    debounce.key(60_100)
    assert debounce.delay_ms(60_100, 500) == pytest.approx(125)
