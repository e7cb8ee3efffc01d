"""Completions that go in circles end behind the first round."""

import copy

import pytest

from keyturn.models.decoding.circles import Endless
from keyturn.models.decoding.stops import Anything
from keyturn.models.decoding.trim import trim


@pytest.mark.parametrize(
    ("generated", "shown"),
    [
        ("    f(x, 1)\n    f(x, 2)\n    f(x, 3)\n    f(x, 4)", "    f(x, 1)"),  # a counter
        ("var1 = go()\nvar2 = go()\nvar3 = go()", "var1 = go()"),
        ("add('a', name)\nadd('b', name)\nadd('c', name)\nadd('d', name)", "add('a', name)"),
        ("go(1)\nend(1)\ngo(2)\nend(2)\ngo(3)\nend(3)", "go(1)\nend(1)"),
        ("'!' + '!' + '!' + '!' + '!' + '!'", "'!'"),
        ("very, very, very, very, very", "very"),
        ("a[0][1][2][3][4][5][6][7]", "a[0]"),
        ("ok()\nx = y + y + y + y + y + y\nlater()", "ok()\nx = y"),
    ],
)
def test_what_is_repeated_is_said_once(generated: str, shown: str) -> None:
    assert trim(generated, "", "") == shown


@pytest.mark.parametrize(
    "generated",
    [
        "import os\nimport re\nimport sys\nimport json",
        "RED = 1\nGREEN = 2\nBLUE = 3",
        "width = 80\nheight = 24",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
        "0, 0, 0, 0, 0, 0, 0, 0",
        "# ----------------------------------",
        "| --- | --- | --- | --- | --- | --- |",
        "self.a = a\nself.b = b\nself.c = c",
        "- milk\n- bread\n- eggs\n- salt",
        "0\n1\n2\n3\n4",
        "a + b + c + d + e + f",
    ],
)
def test_lists_of_different_things_and_numbers_stay(generated: str) -> None:
    assert trim(generated, "", "") == generated


def rounds(text: str) -> str:
    """What is generated of `text` before it is ended."""
    rule = Endless(Anything(), lambda text: False)
    for at, character in enumerate(text):
        kept, over = copy.copy(rule).feed(character)
        assert (kept, over) == rule.feed(character)
        if over:
            return text[: at + 1]
    return text


def test_what_goes_in_circles_is_not_generated_to_the_limit() -> None:
    assert len(rounds("    return 1\n" * 40)) < 80
    assert len(rounds("'!' + " * 40)) < 50
    assert len(rounds("".join(f"go({n})\n" for n in range(40)))) < 50


def test_what_does_not_goes_on() -> None:
    for text in ("a = 1\nb = 2\nc = 3\n", "import os\nimport re\nimport sys\n", "1, 2, 3, 4, 5, 6"):
        assert rounds(text) == text


def test_where_nothing_more_is_shown_nothing_more_is_generated() -> None:
    rule = Endless(Anything(), lambda text: "return" in text)
    assert rule.feed("return 1") == ("return 1", False)
    assert rule.feed("\n") == ("\n", True)
