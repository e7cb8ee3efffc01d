"""What is open at a place: brackets and strings, whatever the language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.models.decoding.brackets import Nesting, nesting


@pytest.mark.parametrize(
    ("text", "brackets", "unmatched", "quote"),
    [
        ("", "", "", ""),
        ("f(a[0], {", "({", "", ""),
        ("f(a[0])", "", "", ""),
        ("])", "", "])", ""),
        ("(]", "(", "]", ""),
        ('print("(")', "", "", ""),
        ("print('(')", "", "", ""),
        (r'"\"("', "", "", ""),
        ('x = "abc(', "", "", '"'),
        ('x = "abc\\"', "", "", '"'),
        ('x = "abc\nf(', "(", "", ""),
        ('"""one (\n two "', "", "", '"""'),
        ('"""one ( """, (', "(", "", ""),
        ("'''it's ( \n", "", "", "'''"),
        ("f(x: &'a str", "(", "", ""),
        ("# don't (\n[", "[", "", ""),
        ("f( // the ) closer\n", "(", "", ""),
        ("`${a(}`", "", "", ""),
    ],
)
def test_open_brackets_and_strings_are_found(
    text: str, brackets: str, unmatched: str, quote: str
) -> None:
    assert nesting(text) == Nesting(brackets, unmatched, quote)


def test_only_the_languages_own_comment_marks_hide_brackets() -> None:
    assert nesting("a // f(\n", comments=("#",)).brackets == "("
    assert nesting("#define f(\n", comments=("//",)).brackets == "("


@given(st.lists(st.text(alphabet="ab([{}])\"'\\# \n", max_size=12), max_size=6))
def test_lines_may_come_one_by_one(lines: list[str]) -> None:
    text = "".join(line + "\n" for line in lines)
    state = Nesting()
    for line in text.splitlines(keepends=True):
        state = nesting(line, state)
    assert state == nesting(text)
