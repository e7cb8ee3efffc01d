"""Which candidates do something else than the others."""

from collections.abc import Sequence

import pytest

from keyturn.api.report import Finish
from keyturn.daemon.completion.candidates import Brief
from keyturn.daemon.completion.request import Candidate, InfillRequest, Near
from keyturn.daemon.workspace.language import language_of
from keyturn.models.confidence.evidence import Said
from keyturn.models.decoding.odds import Odds
from keyturn.models.prompts.fim import NOWHERE, Order, Prompt


def brief(path: str) -> Brief:
    prompt = Prompt((), NOWHERE, NOWHERE, Order.PSM)
    return Brief(InfillRequest("", path=path), language_of(path), Near("", "", "\n"), prompt,
                 frozenset(), 8)  # fmt: skip


def kept(path: str, texts: Sequence[str]) -> list[str]:
    found = brief(path).distinct([Candidate(text, 1, Finish.LINES) for text in texts])
    return [candidate.text for candidate in found]


@pytest.mark.parametrize(("path", "texts", "want"), [
    ("a.py", ["x = 1", "x=1", "x = 1\n", "x = 2"], ["x = 1", "x = 2"]),
    ("a.py", ["f(x)", "f(x)  # once more", "f(x) # and again"], ["f(x)"]),
    ("a.py", ["f(x)\ng()", "f(x)  # once\ng()"], ["f(x)\ng()"]),
    ("a.py", ["# one thing", "# another"], ["# one thing", "# another"]),
    ("a.py", ["", "x", ""], ["x"]),
    ("a.rs", ["f(x);", "f(x); // why", "f(x) # y"], ["f(x);", "f(x) # y"]),
    ("a.py", ["'#a'", "'#b'"], ["'#a'", "'#b'"]),
    ("a.py", ["x = 1", "# first\nx = 1"], ["x = 1"]),
    ("a.py", ["open(p, 'r')", 'open(p, "r")'], ["open(p, 'r')"]),
    ("a.rs", ["f('a')", 'f("a")'], ["f('a')", 'f("a")']),
    ("a.js", ["fetch('http://a')", "fetch('http://b')"], ["fetch('http://a')", "fetch('http://b')"]),
    ("a.txt", ["one // two", "one // three"], ["one // two", "one // three"]),
])  # fmt: skip
def test_space_comments_and_the_kind_of_quotes_make_no_difference(
    path: str, texts: list[str], want: list[str]
) -> None:
    assert kept(path, texts) == want


@pytest.mark.parametrize(("chance", "rival", "nothing"), [(0.9, 0.1, True), (0.001, 0.6, False)])
def test_an_end_that_only_a_search_which_gave_up_has_taken_is_not_what_the_model_wants(
    chance: float, rival: float, nothing: bool
) -> None:
    said = (Said(b"", Odds(chance, rival)),)
    empty = Candidate("", 1, Finish.EOS, "", said)
    assert brief("a.py").adds_nothing(empty) is nothing
