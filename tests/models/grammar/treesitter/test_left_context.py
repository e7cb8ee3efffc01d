"""Opening a file again after an edit, and reading on past what cannot be read."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.grammar.languages import GRAMMARS, load_automaton
from keyturn.models.grammar.oracle import Opening
from keyturn.models.grammar.treesitter.automaton import Automaton
from keyturn.models.grammar.treesitter.left_context import LeftContext
from keyturn.models.grammar.treesitter.parsing import ParseState
from support.corpus import sample


@pytest.fixture(scope="module")
def automata() -> dict[str, Automaton]:
    return {name: load_automaton(name) for name in ("python", "go", "c", "javascript")}


def fresh(automata: dict[str, Automaton], language: str) -> LeftContext:
    return LeftContext(automata[language], not GRAMMARS[language].layout)


def same(one: Opening, other: Opening) -> bool:
    if isinstance(one.state, ParseState) and isinstance(other.state, ParseState):
        alike = one.state.same(other.state)
    else:
        alike = one.state == other.state
    return alike and one.reason == other.reason and one.skipped_lines == other.skipped_lines


@settings(max_examples=25, deadline=None)
@given(data=st.data(), language=st.sampled_from(["python", "go", "c"]))
def test_opening_again_after_edits_gives_what_opening_afresh_gives(
    automata: dict[str, Automaton], data: st.DataObject, language: str
):
    text = sample(language)
    document = fresh(automata, language)
    for _ in range(4):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 40)))
        new = data.draw(st.sampled_from(["", "x", "\n", "(", "}", "  y = 1\n", '"', "#", "é\n\n"]))
        text = text[:start] + new + text[end:]
        cursor = data.draw(st.sampled_from([start + len(new), len(text), len(text) * 2 // 3]))
        again, anew = document.open(text[:cursor]), fresh(automata, language).open(text[:cursor])
        assert same(again, anew), (again, anew)


def test_an_edit_far_above_reads_only_until_the_parses_meet_again(automata: dict[str, Automaton]):
    text = sample("go") * 1
    reads = 0

    class Counting(Automaton):
        def advance(self, versions, text, column):
            nonlocal reads
            reads += 1
            return super().advance(versions, text, column)

    counting = Counting(automata["go"]._tables)
    document = LeftContext(counting)
    document.open(text)
    whole, reads = reads, 0
    at = text.index("price := ") if "price := " in text else text.index("low Level")
    document.open(text[:at] + "very" + text[at:])
    assert 0 < reads < whole / 5


def test_the_block_of_a_dropped_line_is_not_trusted(automata: dict[str, Automaton]):
    text = "def f():\n    x = = 1\n" + "    y = 2\n" * 9
    opening = fresh(automata, "python").open(text + "    ")
    assert (opening.constrained, opening.skipped_lines) == (False, 1)
    assert opening.reason == "code in this block does not parse"
    assert fresh(automata, "python").open(text + "def g(): ").constrained is False
    assert fresh(automata, "python").open(text + "def g():\n    ").constrained


def test_a_half_typed_line_elsewhere_costs_one_line(automata: dict[str, Automaton]):
    text = sample("go")
    broken = text.replace('var errMissing = errors.New("missing")', "var errMissing = = errors.")
    opening = fresh(automata, "go").open(broken[: broken.index("for i, c")])
    assert opening.constrained
    assert opening.skipped_lines == 1
    assert opening.reason == "1 unreadable line skipped"
    assert opening.state.feed(b"x := 1") is not None
    assert opening.state.feed(b"x := )") is None


def test_an_unclosed_bracket_above_is_blamed_and_not_what_follows(automata: dict[str, Automaton]):
    lines = ["import os", "values = foo(1, [2,", "", "def bar():", "    return 1", "", "def baz():"]
    left = "\n".join([*lines, "    x = 1", "    y = 2", "    "])
    opening = fresh(automata, "python").open(left)
    assert opening.constrained
    assert opening.skipped_lines <= 2
    assert opening.state.feed(b"return x\n\ndef qux():") is not None


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("x = 1\ny = ) ", "the line at the cursor does not parse as it stands"),
        ("x = 1\ny = )\nz", "the code just above the cursor does not parse"),
        (
            "<<<<<<< HEAD\n=======\n>>>>>>> x\n" * 9 + "x\n" * 9,
            "the grammar does not fit this file",
        ),
    ],
)
def test_broken_code_near_the_cursor_is_completed_without_a_grammar(
    automata: dict[str, Automaton], left: str, reason: str
):
    opening = fresh(automata, "python").open(left)
    assert not opening.constrained
    assert opening.reason == reason
    assert opening.state.feed(b") ) whatever") is not None
    assert opening.state.can_finish()


def test_brackets_lost_with_a_line_are_not_missed_later(automata: dict[str, Automaton]):
    text = "int f(void) {\n  int x = = {\n  y();\n  y();\n  y();\n  y();\n"
    opening = fresh(automata, "c").open(text)
    assert not opening.constrained
    assert opening.reason == "brackets do not match above the cursor"


@pytest.mark.parametrize("language", ["python", "go", "javascript", "c"])
def test_a_line_being_typed_above_does_not_get_the_true_rest_refused(
    automata: dict[str, Automaton], language: str
):
    rng = random.Random(2)
    lines = sample(language).splitlines(keepends=True)
    document, followed = fresh(automata, language), 0
    for _ in range(60):
        at = rng.randrange(1, len(lines) - 12)
        cursor = rng.randrange(at + 2, len(lines))
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())].rstrip("\n")
        half = indent + rng.choice(["x = = 1", "%%", "for for", "=> <"]) + "\n"
        opening = document.open("".join([*lines[:at], half, *lines[at:cursor]]))
        if opening.constrained and opening.skipped_lines:
            followed += 1
            pieces = tuple(lines[cursor : cursor + 8])
            assert opening.state.reach(pieces, finish=False) == len(pieces), (half, cursor)
    assert followed >= 3


def test_a_byte_order_mark_and_lone_surrogates_are_no_obstacle(automata: dict[str, Automaton]):
    opening = fresh(automata, "python").open("\ufeffx = 1\ny = '\ud800'\nz")
    assert opening.state.feed(b" = 2") is not None


def test_what_follows_a_long_token_is_looked_at_when_the_file_is_opened(
    automata: dict[str, Automaton],
):
    left = f'def f():\n    """{"a word " * 400}\n    """\n    if x:\n'
    opening = fresh(automata, "python").open(left)
    assert opening.constrained
    assert opening.state.feed(b"    y;") is None  # the block has no body
    assert opening.state.feed(b"        y;") is not None
