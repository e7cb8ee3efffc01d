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
        ("(3,'c'),(4,'d'),(5,'e'),(6,'f'),(7,'g'),(8,'h'),(9,'i'),", "(3,'c')"),
        ("open()\nread()\nsort()\nsave()\nend()\n" * 2, "open()\nread()\nsort()\nsave()\nend()"),
        ("ok()\nx = y + y + y + y + y + y\nlater()", "ok()\nx = y"),
    ],
)
def test_what_is_repeated_is_said_once(generated: str, shown: str) -> None:
    assert trim(generated, "", "") == shown


@pytest.mark.parametrize(
    "generated",
    [
        "import os\nimport re\nimport sys\nimport json",
        "width = 80\nheight = 24",
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
        "0, 0, 0, 0, 0, 0, 0, 0",
        "# ----------------------------------",
        "| --- | --- | --- | --- | --- | --- |",
        "self.a = a\nself.b = b\nself.c = c",
        "- milk\n- bread",
        "0\n1\n2\n3\n4",
        "a + b + c + d + e + f",
    ],
)
def test_lists_of_different_things_and_numbers_stay(generated: str) -> None:
    assert trim(generated, "", "") == generated


def rounds(text: str, by: int = 1) -> str:
    """What is generated of `text`, `by` characters at a time, before it is ended."""
    rule, generated = Endless(Anything(), lambda text: False), ""
    for at in range(0, len(text), by):
        kept, over = copy.copy(rule).feed(text[at : at + by])
        assert (kept, over) == rule.feed(text[at : at + by])
        generated += kept
        if over:
            return generated
    return generated


def test_what_goes_in_circles_is_not_generated_to_the_limit() -> None:
    assert len(rounds("    return 1\n" * 40)) < 80
    assert len(rounds("'!' + " * 40)) < 50
    assert len(rounds("".join(f"go({n})\n" for n in range(40)))) < 50


@pytest.mark.parametrize(
    ("line", "comes_in"),
    [
        ("print({})\n", 1),
        ("x{0} = {0}\n", 2),
        ("[INFO] step {} done\n", 1),
        ("node_modules\n", 1),
    ],
)
@pytest.mark.parametrize("by", [1, 3, 7])
def test_a_series_ends_with_a_line_of_its_first_rounds(line: str, comes_in: int, by: int) -> None:
    text = "".join(line.format(n) for n in range(3, 40))
    shown = trim(rounds(text, by), "", "").split("\n")
    assert shown == text.split("\n")[: len(shown)]
    assert 1 <= len(shown) <= comes_in


def test_what_does_not_goes_on() -> None:
    for text in ("a = 1\nb = 2\nc = 3\n", "import os\nimport re\nimport sys\n", "1, 2, 3, 4, 5, 6"):
        assert rounds(text) == text


def test_where_nothing_more_is_shown_nothing_more_is_generated() -> None:
    rule = Endless(Anything(), lambda text: "return" in text)
    assert rule.feed("return 1") == ("return 1", False)
    assert rule.feed("\n") == ("\n", True)


def test_a_tag_in_a_circle_keeps_its_end() -> None:
    kept = trim("<td></td>" * 5, "<tr>", "</tr>")
    assert kept == trim(kept, "<tr>", "</tr>")
    assert kept.count("<") == kept.count(">") > 0
