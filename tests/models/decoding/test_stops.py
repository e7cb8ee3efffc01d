"""Where completions end: after a line, or with the block that the cursor is in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.request import Extent
from keyturn.models.decoding.brackets import Nesting
from keyturn.models.decoding.stops import (
    MOST_BLANK_LINES,
    Anything,
    Block,
    LineAndBlock,
    SingleLine,
    stop_rule,
)

PYTHON = ("#",)


def kept(prefix: str, generated: str, suffix: str = "", extent: Extent = Extent.AUTO) -> str:
    rule = stop_rule(extent, prefix, suffix, PYTHON)
    text = ""
    for character in generated:
        more, done = rule.feed(character)
        text += more
        if done:
            return text
    return text + "…"  # it went on to the end


def test_a_line_ends_before_its_line_break() -> None:
    assert kept("x = ", "foo(1)\ny = 2\n") == "foo(1)"


def test_a_line_that_opens_a_block_goes_on_with_it() -> None:
    body = ") {\n    return 0;\n}"
    assert kept("int main(", f"void{body}\n\nint f(void);\n") == f"void{body}"
    assert kept("int main(", "void);\nint f(void);\n") == "void);"
    assert kept("x = ", "{\n    1: 2,\n}\ny = 3\n") == "{\n    1: 2,\n}"
    assert kept("names = ", "[\n    1,\n]\ny = 3\n") == "[\n    1,\n]"
    assert kept("def f(", "\n    a,\n):\n    return a\nf(1)\n") == "\n    a,\n):\n    return a"
    assert kept("    if x", ":\n        y()\n    z()\n", "\n    z()\n") == ":\n        y()"


def test_not_where_the_block_is_there_already() -> None:
    assert kept("if x", " > 1:\n    y()\n", suffix="\n\n    return 1\n") == " > 1:"
    assert kept("for (", "a of b) {\n  c()\n", suffix=") {\n") == "a of b) {"


def test_a_line_begun_in_the_middle_never_grows_to_two() -> None:
    assert kept("    return foo(", "a,\n    b", suffix=")\n") == "a,"


def test_a_whole_line_put_above_another_keeps_its_line_break_and_indentation() -> None:
    assert kept("    ", "y = 1\n    z", suffix="return y\n") == "y = 1\n    "
    assert kept("def f():\n", "    y = 1\n  ", suffix="    return y\n") == "    y = 1\n"


def test_a_block_ends_at_the_dedent() -> None:
    assert (
        kept("def f(x):", "\n    if x:\n        return 1\n    return 2\n\ndef g():\n    pass\n")
        == "\n    if x:\n        return 1\n    return 2"
    )


def test_a_block_may_have_blank_lines() -> None:
    assert kept("def f():", "\n    a = 1\n\n    b = 2\nc") == "\n    a = 1\n\n    b = 2"


def test_a_block_on_an_indented_blank_line_ends_below_that_indentation() -> None:
    prefix = "def f(x):\n    if x:\n        "
    assert kept(prefix, "a()\n        b()\n    return 1\n") == "a()\n        b()"


def test_a_block_on_an_unindented_blank_line_takes_the_indentation_of_its_first_line() -> None:
    prefix = 'def f(x):\n    """Say f."""\n'
    assert kept(prefix, "    a = x\n    return a\n\n\nf(1)\n") == "    a = x\n    return a"


def test_a_dedent_at_once_leaves_nothing() -> None:
    assert kept("def f():\n    return 1\n    ", "\n\ndef g():") == ""


def test_at_the_top_level_a_blank_line_ends_the_block() -> None:
    assert kept("", "import os\nimport sys\n\nX = 1\n") == "import os\nimport sys"
    assert kept("", "def f():\n\n    return 1\n\ndef g()") == "def f():\n\n    return 1"


def test_brackets_that_the_completion_opened_hold_a_block_open() -> None:
    assert kept("    ", "x = [\n1,\n\n2,\n]\n    y = 2\nz") == "x = [\n1,\n\n2,\n]\n    y = 2"


def test_brackets_in_strings_and_comments_do_not() -> None:
    assert kept("    ", "x = '['  # or (\ny") == "x = '['  # or ("


def test_a_triple_quoted_string_holds_a_block_open() -> None:
    assert kept("    ", 'x = """\none\n"""\n    y\nz') == 'x = """\none\n"""\n    y'


def test_a_cursor_inside_a_docstring_may_end_it() -> None:
    prefix = 'def f():\n    """Do it.\n\n    '
    assert (
        kept(prefix, 'Now.\nnot code\n    """\n    pass\nx') == 'Now.\nnot code\n    """\n    pass'
    )


def test_the_closer_of_the_block_is_part_of_it_and_ends_it() -> None:
    assert kept("if (x) {", "\n  f();\n}\ng();") == "\n  f();\n}"
    assert (
        kept("if (x) {", "\n  f();\n} else {\n  g();\n}\nh();") == "\n  f();\n} else {\n  g();\n}"
    )


def test_a_closer_of_an_outer_block_is_not() -> None:
    assert kept("{\n  if (x) {", "\n    f();\n}\n") == "\n    f();"
    assert kept("f(\n    ", "a,\n    b\n)\n") == "a,\n    b"


def test_tabs_count_as_indentation() -> None:
    assert kept("func f() {", "\n\ta()\n\tif b {\n\t\tc()\n\t}\n}\n\n") == (
        "\n\ta()\n\tif b {\n\t\tc()\n\t}\n}"
    )


@pytest.mark.parametrize(
    ("prefix", "suffix", "rule"),
    [
        ("", "", Block),
        ("def f():\n    ", "\n", Block),
        ("def f():", "\n", Block),
        ("if (a) {", "  \n", Block),
        ("while x do ", "", Block),
        ("x = ", "", LineAndBlock),
        ("if x", "\n    return 1\n", SingleLine),
        ("f(", ")\n", SingleLine),
        ("", "x = 1\n", SingleLine),
        ("redo", "", LineAndBlock),
    ],
)
def test_the_place_of_the_cursor_decides_between_line_and_block(
    prefix: str, suffix: str, rule: type
) -> None:
    assert type(stop_rule(Extent.AUTO, prefix, suffix, PYTHON)) is rule


def test_the_extent_can_be_forced() -> None:
    assert type(stop_rule(Extent.LINE, "def f():", "", PYTHON)) is SingleLine
    assert type(stop_rule(Extent.BLOCK, "x = ", "", PYTHON)) is Block
    assert type(stop_rule(Extent.ALL, "x = ", "", PYTHON)) is Anything


@given(
    st.sampled_from(["", "    ", "def f():", "x = [", 'x = """', "\t"]),
    st.text(alphabet="ab \n\t()[]{}:'\"#", max_size=60),
    st.lists(st.integers(1, 60), max_size=6),
)
def test_how_the_text_is_cut_into_tokens_changes_nothing(
    prefix: str, generated: str, cuts: list[int]
) -> None:
    for extent in Extent:
        one = stop_rule(extent, prefix, "", PYTHON)
        many = stop_rule(extent, prefix, "", PYTHON)
        whole = one.feed(generated)
        pieces, edges = "", sorted({0, *cuts, len(generated)})
        for start, stop in itertools.pairwise(edges):
            text, done = many.feed(generated[start:stop])
            pieces += text
            if done:
                break
        assert pieces == whole[0]


@given(st.text(alphabet="ab \n\t(){}:", max_size=60))
def test_what_is_kept_is_the_start_of_what_was_generated(generated: str) -> None:
    text, _ = stop_rule(Extent.BLOCK, "    ", "", PYTHON).feed(generated)
    assert generated.startswith(text)


def test_a_block_ends_where_nothing_but_blank_lines_come():
    rule = Block("", Nesting(), ("#",))
    kept, over = rule.feed("x = 1\n" + "\n" * (MOST_BLANK_LINES - 1))
    assert (kept, over) == ("x = 1", False)
    assert rule.feed("  \n\n") == ("", True)
