"""Passages: nothing of a file is lost, and what is compared is what is found again."""

from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.project.passages import (
    COMPARED,
    LINES,
    MOST,
    MOST_COLUMNS,
    SHOWN,
    excerpt,
    passages,
    windows,
)
from keyturn.daemon.project.words import names_in

LINE = st.text(st.characters(exclude_characters="\n"), max_size=30)


@given(st.lists(LINE, max_size=40))
def test_passages_put_together_are_the_text(lines: list[str]):
    text = "\n".join(lines)
    assert "\n".join(passages(text)) == text
    assert all(piece.count("\n") < LINES for piece in passages(text))


@given(st.lists(LINE, max_size=40))
def test_a_window_has_the_names_of_its_lines_and_an_excerpt_goes_on_behind_them(lines: list[str]):
    text = "\n".join(lines)
    pieces = passages(text)
    lines = text.split("\n")
    for number, names in enumerate(windows(pieces)):
        at = number * LINES
        assert names == names_in("\n".join(lines[at : at + COMPARED * LINES]))
        made = excerpt("a.py", "python", at, pieces[number:])
        assert made.names == names.keys()
        assert made.text == "\n".join(lines[at : at + SHOWN * LINES])


def test_long_lines_are_cut_and_very_long_files_end():
    assert passages("x" * 10_000) == ["x" * MOST_COLUMNS]
    assert len(passages("a\n" * (LINES * MOST + 100))) == MOST


def test_names_are_identifiers_that_say_something_each_once_in_their_order():
    assert list(names_in("if self.alpha(x) and beta_2 in alpha: return größe")) == [
        "alpha", "beta_2", "größe",
    ]  # fmt: skip
