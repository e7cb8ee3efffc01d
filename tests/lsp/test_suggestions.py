"""Which suggestions are kept, and where they fit."""

from keyturn.api.report import Completion, CompletionMeta
from keyturn.lsp.suggestions import Suggestions

URI = "file:///a.py"


def remember(suggestions: Suggestions, document: str, offset: int) -> None:
    suggestions.remember(
        URI, document, offset, [Completion("()", offset, offset, CompletionMeta())]
    )


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
