"""What nobody has asked for is shown only where it is likely to be right."""

import asyncio

import pytest

from keyturn.api.confidence import Confidence
from keyturn.api.report import Completion
from keyturn.api.request import Trigger
from keyturn.lsp.backend import Outcome, TextEdit
from keyturn.lsp.options import Options
from keyturn.lsp.outcome import Outcomes
from keyturn.lsp.worth import LEAST, worth_showing
from support.lsp.editor import URI, Editor, settle

UNLIKELY = Confidence((0, 2), (0.05, 0.9))  # of "4:1": wrong, probably, unless its start is typed


def unlikely(eagerness: str = "normal") -> Editor:
    options, problems = Options().updated({"eagerness": eagerness})
    assert not problems
    editor = Editor("x = ", options)
    editor.backend.confidence = UNLIKELY
    return editor


def test_the_more_eager_the_less_sure_a_suggestion_must_be() -> None:
    assert 1.0 > LEAST["low"] > LEAST["normal"] > LEAST["high"] == 0.0
    completion = Completion("a\nb", 0, 0, confidence=Confidence((0, 2), (0.6, 0.3)))
    assert worth_showing([completion], "high") == [completion]
    (low,) = worth_showing([completion], "low")
    assert low.text == "a"  # whole lines, up to the first that is not likely


def test_what_loses_lines_takes_no_bracket_with_it() -> None:
    known = Confidence((0, 3), (0.9, 0.01))
    completion = Completion("a,\n  b)", 4, 5, confidence=known)  # the editor has closed it
    (cut,) = worth_showing([completion], "normal")
    assert (cut.text, cut.start, cut.end) == ("a,", 4, 4)
    (whole,) = worth_showing([completion], "high")
    assert (whole.text, whole.end) == ("a,\n  b)", 5)


def test_what_is_the_same_once_it_has_been_cut_is_shown_once() -> None:
    known = Confidence((0, 2), (0.9, 0.01))
    found = [Completion(text, 0, 0, confidence=known) for text in ("a\nb", "c\nb", "a\nd")]
    assert [each.text for each in worth_showing(found, "normal")] == ["a", "c"]
    assert len(worth_showing(found, "high")) == 3


def test_what_nobody_can_judge_is_shown() -> None:
    completion = Completion("a", 0, 0)
    assert worth_showing([completion], "low") == [completion]


def test_another_word_than_the_three_is_refused() -> None:
    options, problems = Options().updated({"eagerness": "very"})
    assert options.eagerness == "normal"
    assert problems == ["keyturn: eagerness is 'very', but must be one of low, normal, high"]


async def test_what_is_likely_wrong_is_held_back_and_the_model_is_not_asked_again() -> None:
    editor = unlikely()
    assert await editor.ask() == []
    assert await editor.ask() == []
    assert len(editor.backend.requests) == 1


async def test_who_asks_for_it_is_shown_everything() -> None:
    editor = unlikely()
    assert await editor.ask() == []
    found = await editor.ask(Trigger.INVOKED)
    assert [each.text for each in found] == ["4:1", "4:1!", "4:1!!"]


async def test_a_menu_shows_everything() -> None:
    editor = unlikely()
    place = editor.session.documents.get(URI)
    assert place is not None
    found = await editor.session.complete(URI, place.position(4, "utf-16"), Trigger.TYPING, True)
    assert [each.text for each in found] == ["4:1"]


async def test_the_eager_are_shown_all_there_is() -> None:
    [found] = await unlikely("high").ask()
    assert found.text == "4:1"


async def test_it_is_shown_once_what_was_typed_speaks_for_it() -> None:
    editor = unlikely()
    assert await editor.ask() == []
    editor.type("4")
    assert await editor.ask() == []
    editor.type(":")
    [found] = await editor.ask()
    assert found.text == "1"
    assert len(editor.backend.requests) == 1


async def test_what_is_on_the_screen_stays_there_while_it_is_typed_along() -> None:
    editor = Editor("x = ")
    editor.backend.confidence = Confidence((0, 1), (0.9, 0.01))
    for typed, rest in (("", "4:1"), ("4", ":1"), (":", "1")):
        if typed:
            editor.type(typed)
        [found] = await editor.ask()
        assert found.text == rest


async def test_what_was_held_back_has_an_outcome_that_is_not_counted_as_shown() -> None:
    editor = unlikely()
    await editor.ask()
    editor.type("5")
    await settle()
    (feedback,) = editor.backend.feedback
    assert (feedback.outcome, feedback.shown) == (Outcome.REJECTED, False)
    assert (feedback.likely, feedback.right) == (pytest.approx(0.05), False)


async def test_what_was_held_back_and_typed_all_the_same_was_right() -> None:
    editor = unlikely("low")
    editor.backend.confidence = Confidence((0,), (0.3,))
    for key in "4:1":
        assert await editor.ask() == []
        editor.type(key)
    await settle()
    (feedback,) = editor.backend.feedback
    assert (feedback.outcome, feedback.shown, feedback.right) == (Outcome.TYPED, False, True)
    assert len(editor.backend.requests) == 1  # nothing is computed ahead: nobody accepted anything


async def test_a_first_line_that_was_accepted_was_right_whatever_comes_of_the_others() -> None:
    editor = Editor("x = ")
    editor.backend.answer = "1\ny = 2"
    editor.backend.confidence = Confidence((0, 2), (0.8, 0.7))
    await editor.ask()
    editor.type("1")
    editor.type("\n")
    await settle()
    editor.type("z")
    await settle()
    feedback = editor.backend.feedback[-1]
    assert (feedback.outcome, feedback.right) == (Outcome.REJECTED, True)
    assert feedback.likely == pytest.approx(0.8)


async def test_the_account_says_that_it_was_held_back_and_how_likely_it_was() -> None:
    editor = unlikely()
    await editor.ask()
    account = editor.session.why(URI)
    assert account is not None
    assert (account.shown, account.likely) == (False, pytest.approx(0.05))


async def test_while_the_user_waits_for_an_answer_an_automatic_request_shares_all_of_it() -> None:
    editor = unlikely()
    editor.type(" SLOW")
    asked = editor.ask(Trigger.INVOKED)
    await settle()
    automatic = editor.ask()
    await settle()
    editor.backend.go.set()
    assert (await asyncio.gather(asked, automatic))[1]


def chosen_from(*texts: str) -> Outcomes:
    outcomes = Outcomes()
    first, *others = [
        Completion(text, 0, 0, confidence=Confidence((0,), (0.9 - 0.2 * number,)))
        for number, text in enumerate(texts)
    ]
    outcomes.show(URI, first, others=others)
    return outcomes


def test_of_several_the_one_that_was_taken_teaches() -> None:
    for text, likely in (("a = 1", 0.9), ("b = 2", 0.7), ("c = 3", 0.5)):
        by_edit = chosen_from("a = 1", "b = 2", "c = 3").edit(URI, TextEdit(0, 0, text))
        number = ["a = 1", "b = 2", "c = 3"].index(text)
        by_command = chosen_from("a = 1", "b = 2", "c = 3").accepted(URI, number)
        for feedback in (by_edit, by_command):
            assert feedback is not None
            assert (feedback.outcome, feedback.right) == (Outcome.ACCEPTED, True)
            assert feedback.likely == pytest.approx(likely)


def test_what_begins_like_another_one_can_still_become_it() -> None:
    outcomes = chosen_from("ab", "ac")
    assert outcomes.edit(URI, TextEdit(0, 0, "a")) is None
    feedback = outcomes.edit(URI, TextEdit(1, 1, "c"))
    assert feedback is not None
    assert (feedback.outcome, feedback.right) == (Outcome.TYPED, True)


def test_a_first_line_that_was_written_at_once_with_another_second_one_was_right() -> None:
    feedback = chosen_from("a = 1\nb = 2").edit(URI, TextEdit(0, 0, "a = 1\nc = 3"))
    assert feedback is not None
    assert (feedback.outcome, feedback.right) == (Outcome.REJECTED, True)
