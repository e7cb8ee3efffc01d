"""Whatever a file holds, looking for a next edit ends soon: each of these took minutes where
something was tried from every character on."""

from contextlib import suppress

import pytest

from keyturn.daemon.next_edit.syntax.declaring import DECLARING
from keyturn.daemon.project.reading.syntax import GRAMMARS, TooLong
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
