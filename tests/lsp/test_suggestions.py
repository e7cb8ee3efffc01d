"""Which suggestions are kept, and where they fit."""

from keyturn.api.report import Completion, CompletionMeta, ProjectUse
from keyturn.lsp.suggestions import Suggestions

URI = "file:///a.py"


def remember(
    suggestions: Suggestions, document: str, offset: int, meta: CompletionMeta | None = None
) -> None:
    found = Completion("()", offset, offset, meta or CompletionMeta())
    suggestions.remember(URI, document, offset, [found])


def test_a_suggestion_fits_only_between_the_texts_that_it_was_made_for():
    suggestions = Suggestions()
    remember(suggestions, "call\nend", 4)
    assert suggestions.fitting(URI, "call\nend", 4)
    assert not suggestions.fitting(URI, "call\nEND", 4)
    assert not suggestions.fitting(URI, "CALL\nend", 4)


def test_beyond_so_many_the_one_used_longest_ago_is_given_up():
    suggestions = Suggestions(capacity=2)
    for document in ("one", "two", "six"):
        remember(suggestions, document, 3)
    assert [bool(suggestions.fitting(URI, text, 3)) for text in ("one", "two", "six")] == [
        False, True, True,
    ]  # fmt: skip


def test_one_that_was_made_before_the_project_was_read_is_not_the_last_word_at_its_place():
    for settled in (False, True):
        suggestions = Suggestions()
        meta = CompletionMeta(project=ProjectUse(settled=settled))
        remember(suggestions, "call\nend", 4, meta)
        assert bool(suggestions.fitting(URI, "call\nend", 4)) == settled
        assert suggestions.fitting(URI, "call(\nend", 5)  # who types along it is not disturbed
