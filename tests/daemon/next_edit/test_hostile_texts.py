"""Whatever a file holds, looking for a next edit ends soon: each of these took minutes where
something was tried from every character on."""

from contextlib import suppress

import pytest

from keyturn.daemon.next_edit.proposals import proposals
from keyturn.daemon.next_edit.syntax.declaring import DECLARING
from keyturn.daemon.next_edit.syntax.source import Source
from keyturn.daemon.project.reading.syntax import GRAMMARS, Stopwatch, TooLong
from support.next_edit import Edited

LONG = 190_000
TEXTS = {
    "one long word": "class A:\n    x = 1\n    def f(self): return self.x\n" + "w" * LONG,
    "many blanks": "class A:\n    x = 1\n    def f(self): return self.x\nA" + " " * LONG + "b",
    "one line": "x = 1; " * (LONG // 7),
    "quotes": "x = 1\n" + '"' * LONG,
    "brackets": "x = 1\nx(" + "(" * LONG,
    "a comment of nothing else": "x = 1\n# " + "x " * (LONG // 2),
    "many names": "x = 1\n" + "print(x)\n" * (LONG // 9),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.timeout(60)
def test_looking_ends_soon_for(text: str) -> None:
    edited = Edited(text)
    for number in range(2):
        at = edited.text.find("x", 60 * number)
        edited.edit(at, at + 1, "renamed")
        with suppress(TooLong):
            edited.next()


def test_every_language_that_is_read_says_where_it_declares() -> None:
    assert DECLARING.keys() == GRAMMARS.keys()


LINES = {
    "one word": "w" * LONG,
    "a chain": "a." * (LONG // 2),
    "quotes": "'" * LONG,
    "blanks": " " * LONG,
    "the form, nearly": "a.has" * (LONG // 5),
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
@pytest.mark.timeout(60)
def test_looking_for_a_form_with_holes_ends_soon_behind(line: str) -> None:
    edited = Edited(f"a.has(b)\nc.has(d)\ne.has(f)\n# {line}")
    edited.replace("a.has(b)", "b in a").replace("c.has(d)", "d in c")
    with suppress(TooLong):
        assert edited.next() is not None


@pytest.mark.timeout(60)
def test_deep_nesting_is_given_up() -> None:
    deep = "[" * 60_000 + "f(1, 2), " * 200 + "]" * 60_000
    edited = Edited(f"def f(a, b): pass\nx = {deep}\n").replace("(a, b)", "(a)")
    source = Source("python", edited.text, Stopwatch(lambda: None, 0.5))
    with pytest.raises(TooLong):
        proposals(source, list(edited.recent), 1)
