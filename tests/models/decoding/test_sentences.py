"""Prose that goes round in circles ends before it says a sentence again."""

import pytest

from keyturn.models.decoding.circles import Endless
from keyturn.models.decoding.sentences import said_once, surely_said_once
from keyturn.models.decoding.stops import Anything
from keyturn.models.decoding.trim import certain, trim

MENU = "The cafe has a special menu for children."
WINE = "The cafe has a special list of wines."


@pytest.mark.parametrize(
    ("before", "generated", "shown"),
    [
        ("", f"{MENU} It is open all day. {MENU}", f"{MENU} It is open all day."),
        ("", f"{MENU} {MENU} {MENU}", MENU),
        ("", f"{MENU} The cafe has a spec", MENU),  # begun again
        ("", f"{MENU} {WINE} The cafe has a special tea.", MENU),  # and again, a little different
        ('def f():\n    """', f"{MENU}\n    {MENU}\n", MENU),
        (
            "# ",
            "The cafe has a\n# special menu. The cafe has\n# a special menu. It",
            "The cafe has a\n# special menu.",
        ),
        (f"{MENU} ", f"It is open. {MENU}", "It is open."),  # the file says it
        (f"{MENU}\n", f"{MENU}", ""),
        (f"{MENU}\n\n# Wine\n", f"{MENU}", MENU),  # another paragraph
        ("", "Is it so that it is? Is it so that it is?", "Is it so that it is?"),
        (f"// {MENU}\n", f"/**\n * {MENU}\n */\n", ""),  # no marks without words
        (f"# {MENU}\n", f"#\n# It is new.\n#\n# {MENU}\n", "#\n# It is new."),
    ],
)
def test_a_sentence_is_said_once(before: str, generated: str, shown: str) -> None:
    assert trim(generated, before, "", language="plaintext") == shown
    for end in range(len(generated) + 1):
        assert shown.startswith(certain(generated[:end], before, "", "plaintext"))


@pytest.mark.parametrize(
    ("before", "generated"),
    [
        (f"# {MENU}\ndef f():\n    ", f'"""{MENU}"""\n    return 1'),
        (f"/// {MENU}\nfn f() {{}}\n", f"/// {MENU}\nfn g() {{}}"),
        (f"/**\n * {MENU}\n */\n", f"// {MENU}"),
        ("", f'"""\n{MENU}\n"""\n# {MENU}\nx'),
        (f'{{\n  "a": "No. {MENU}",\n  "b": "', f'Yes. {MENU}",\n  "c": "Not. {MENU}"'),
        (f"a: 'No. {MENU}'\n", f"b: 'Yes. {MENU}'"),
        (f'  "No. {MENU}",\n', f'  "Yes. {MENU}",'),
    ],
)
def test_code_between_two_sentences_lets_them_be_the_same(before: str, generated: str) -> None:
    assert trim(generated, before, "") == generated


@pytest.mark.parametrize(
    "generated",
    [
        f"{MENU} {WINE}",  # two that begin alike
        "It is red. It is blue. It is red. It is blue.",  # short
        "If the value is a list, go on. If the value is none, stop here.",
        "x = f(a, b, c, d).e\nx = f(a, b, c, d).e",  # code
        "import a, b, c, d\n\nimport a, b, c, d\nx = 1",
        "See e.g. version 1.2 of this. See e.g. version 1.3 of this.",
    ],
)
def test_what_only_looks_alike_stays(generated: str) -> None:
    assert said_once(generated) == len(generated)


def test_what_is_surely_said_once_stays_whatever_comes() -> None:
    text = f"{MENU} {WINE} It is open. The cafe has a special menu for dogs.\n#\n# {MENU}"
    for end in range(len(text) + 1):
        kept = text[: said_once(text[:end])]
        for start in range(end + 1):
            assert kept.startswith(text[: surely_said_once(text[:start])].rstrip())


def test_decoding_ends_where_a_sentence_is_said_again() -> None:
    rule, generated = Endless(Anything(), lambda text: False), ""
    for character in f"{MENU} It is new. {MENU} {MENU} {MENU}":
        kept, over = rule.feed(character)
        generated += kept
        if over:
            break
    assert generated == f"{MENU} It is new. {MENU}"
