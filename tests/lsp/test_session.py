"""A session between an editor and a backend: what is asked, shown, dropped and learned."""

import asyncio
from dataclasses import replace

import pytest

from keyturn.api.report import Finish
from keyturn.api.request import Extent, Trigger
from keyturn.lsp.backend import Outcome, ProjectRules, Superseded
from keyturn.lsp.documents import Change, Position
from keyturn.lsp.options import Options
from keyturn.lsp.outcome import Account
from support.lsp.editor import URI, Editor, settle


async def test_a_suggestion_is_computed_from_the_newest_text():
    editor = Editor("ab")
    editor.type("c")
    [completion] = await editor.ask()
    assert (completion.text, completion.start, completion.end) == ("3:2", 3, 3)
    assert editor.backend.texts[URI] == (2, "abc")


async def test_typing_along_a_suggestion_never_asks_the_backend_again():
    editor = Editor("x = ")
    [first] = await editor.ask()
    assert first.text == "4:1"
    for typed, rest in (("4", ":1"), (":", "1")):
        editor.type(typed)
        [completion] = await editor.ask()
        assert completion.text == rest
        assert completion.start == len(editor.text)
    assert len(editor.backend.requests) == 1


async def test_going_back_to_where_a_suggestion_was_serves_it_again():
    editor = Editor("x = ")
    await editor.ask()
    editor.type("4")
    editor.version += 1
    editor.session.change(URI, editor.version, [Change("", Position(0, 4), Position(0, 5))])
    [completion] = await editor.ask()
    assert completion.text == "4:1"
    assert len(editor.backend.requests) == 1


async def test_the_account_of_a_suggestion_stays_until_there_is_another_or_the_file_is_closed():
    editor = Editor("x = ")
    assert editor.session.why(URI) is None
    [first] = await editor.ask()
    assert editor.session.why(URI) == Account(first.meta, known=False)
    editor.type("4")
    await editor.ask()
    assert editor.session.why(URI) == Account(first.meta, known=True)
    editor.backend.finish = Finish.TOKENS
    editor.type("?")
    [other] = await editor.ask()
    assert editor.session.why(URI) == Account(other.meta, known=False) != Account(first.meta, False)
    editor.type("FAIL")
    assert await editor.ask() == []
    assert editor.session.why(URI) == Account(other.meta, known=False)
    editor.session.close(URI)
    assert editor.session.why(URI) is None


async def test_leaving_a_suggestion_or_editing_around_it_asks_anew():
    editor = Editor("x = \ny")
    place = Position(0, 4)
    await editor.session.complete(URI, place, Trigger.TYPING)
    editor.type("?", Position(1, 1))
    await editor.session.complete(URI, place, Trigger.TYPING)
    editor.type("z", place)
    await editor.session.complete(URI, Position(0, 5), Trigger.TYPING)
    assert len(editor.backend.requests) == 3


async def test_a_bracket_that_the_editor_closed_is_taken_into_the_range():
    editor = Editor("f")
    editor.backend.answer = "(x)\n"
    await editor.ask()
    editor.type("()", Position(0, 1))
    [completion] = await editor.session.complete(URI, Position(0, 2), Trigger.TYPING)
    assert (completion.text, completion.start, completion.end) == ("x)\n", 2, 3)
    assert len(editor.backend.requests) == 1


async def test_a_newer_request_cancels_the_older_one_for_the_same_document():
    editor = Editor("SLOW")
    older = editor.ask()
    await settle()
    newer = editor.ask(Trigger.INVOKED)
    await settle()
    assert older.cancelled()
    assert editor.backend.cancelled == 1
    editor.backend.go.set()
    assert len(await newer) == Options().candidates


@pytest.mark.parametrize("automatic", [1, 2])
async def test_what_the_user_asked_for_is_not_given_up_for_what_comes_by_itself(automatic: int):
    editor = Editor("SLOW", Options(candidates=3))
    explicit = editor.ask(Trigger.INVOKED)
    await settle()
    others = [editor.ask() for _ in range(automatic)]
    await settle()
    assert not explicit.done()
    editor.backend.go.set()
    expected = await explicit
    assert len(expected) == 3
    assert [await other for other in others] == [expected] * automatic
    assert len(editor.backend.requests) == 1


async def test_where_the_editor_drops_what_the_user_asked_for_the_next_request_asks():
    editor = Editor("SLOW")
    explicit = editor.ask(Trigger.INVOKED)
    await settle()
    automatic = editor.ask()
    await settle()
    explicit.cancel()
    editor.backend.go.set()
    [completion] = await automatic
    assert completion.text == "4:1"
    assert [request.trigger for request in editor.backend.requests] == ["invoked", "typing"]


async def test_a_user_who_moved_on_is_not_kept_waiting_for_what_they_asked_for_before():
    editor = Editor("SLOW")
    before = editor.ask(Trigger.INVOKED)
    await settle()
    elsewhere = asyncio.create_task(editor.session.complete(URI, Position(0, 2), Trigger.TYPING))
    await settle()
    assert before.cancelled()
    again = editor.ask(Trigger.INVOKED)
    await settle()
    behind = editor.ask()
    await settle()
    editor.type("!")
    again.cancel()
    assert elsewhere.cancelled()
    with pytest.raises(Superseded):
        await behind


async def test_what_waits_for_the_user_s_own_request_gives_way_to_what_is_asked_after_it():
    editor = Editor("SLOW")
    explicit = editor.ask(Trigger.INVOKED)
    await settle()
    waiting = editor.ask()
    await settle()
    elsewhere = asyncio.create_task(editor.session.complete(URI, Position(0, 2), Trigger.TYPING))
    await settle()
    editor.backend.go.set()
    [completion] = await elsewhere
    assert completion.start == 2
    assert explicit.cancelled()
    with pytest.raises(Superseded):
        await waiting


async def test_what_was_cut_short_is_not_the_answer_for_ever_but_can_be_typed_along():
    editor = Editor("x = ")
    editor.backend.finish = Finish.DEADLINE
    [first] = await editor.ask()
    assert [each.text for each in await editor.ask()] == [first.text]
    assert len(editor.backend.requests) == 2
    editor.type(first.text[0])
    assert [each.text for each in await editor.ask()] == [first.text[1:]]
    assert len(editor.backend.requests) == 2


async def test_documents_do_not_cancel_each_other():
    editor = Editor("SLOW")
    editor.session.open("file:///b.py", "python", 1, "SLOW b")
    first = editor.ask()
    second = asyncio.create_task(
        editor.session.complete("file:///b.py", Position(0, 6), Trigger.TYPING)
    )
    await settle()
    editor.backend.go.set()
    assert [c.text for c in await first] == ["4:1"]
    assert [c.text for c in await second] == ["6:1"]


async def test_an_answer_to_an_older_version_is_dropped_but_remembered():
    editor = Editor("SLOW")
    asked = editor.ask()
    await settle()
    editor.type("4")  # which is how the suggestion starts
    editor.backend.go.set()
    with pytest.raises(Superseded):
        await asked
    [completion] = await editor.ask()
    assert completion.text == ":1"
    assert len(editor.backend.requests) == 1


async def test_several_candidates_come_only_on_explicit_request():
    editor = Editor("a", Options(candidates=4))
    assert len(await editor.ask()) == 1
    assert len(await editor.ask(Trigger.INVOKED)) == 4


@pytest.mark.parametrize(
    ("text", "offset", "shown"),
    [("comp_", 4, True), ("compute", 4, True), ("comp(x)", 4, True), ("a.b", 2, True)],
)
async def test_what_goes_on_with_a_word_is_suggested_anywhere(text: str, offset: int, shown: bool):
    editor = Editor(text)
    editor.backend.answer = "ute_all"
    found = await editor.session.complete(URI, Position(0, offset), Trigger.TYPING)
    assert bool(found) is shown


async def test_nothing_is_suggested_in_a_word_that_does_not_go_on_with_it():
    editor = Editor("compute(x)")
    for answer, inside in (("(y)\n", []), (" = 1", []), ("_all", ["_all"])):
        editor.backend.answer = answer
        editor.session.forget_suggestions()
        found = await editor.session.complete(URI, Position(0, 4), Trigger.INVOKED)
        assert [each.text for each in found][:1] == inside
        editor.session.forget_suggestions()
        [after] = await editor.session.complete(URI, Position(0, 7), Trigger.TYPING)
        assert after.text == answer


async def test_a_block_is_asked_for_where_one_begins_and_a_line_inside_one():
    editor = Editor("def f():\n    \nx = (a, b)\n")
    for place, extent in ((Position(1, 4), Extent.AUTO), (Position(2, 6), Extent.FITTING)):
        await editor.session.complete(URI, place, Trigger.TYPING)
        assert editor.backend.requests[-1].options.extent is extent


async def test_who_wants_single_lines_gets_no_others():
    editor = Editor("def f():\n    \nx = (a, b)\n", Options(multiline="never"))
    for place in (Position(1, 4), Position(2, 6)):
        await editor.session.complete(URI, place, Trigger.TYPING)
        assert editor.backend.requests[-1].options.extent is Extent.LINE


async def test_requests_are_held_back_only_while_answers_are_slower_than_keys():
    editor = Editor("x = ", Options(debounce_max_ms=2_000))
    editor.backend.answer = "never fits"
    editor.type("a")
    await editor.ask()  # answers come at once so far
    editor.backend.go.clear()
    for _ in range(3):
        editor.type("b")
        await asyncio.sleep(0.02)  # the user's usual gap
    editor.type("SLOW")
    slow = editor.ask(Trigger.INVOKED)
    await asyncio.sleep(0.5)
    editor.backend.go.set()
    await slow
    before = len(editor.backend.requests)
    editor.type("c")
    held = editor.ask()
    await settle()
    assert len(editor.backend.requests) == before  # it waits for a pause
    await held
    assert len(editor.backend.requests) == before + 1
    asked = editor.ask(Trigger.INVOKED)
    await settle()
    assert len(editor.backend.requests) == before + 2  # the user's wish never waits
    await asked


async def test_a_failure_is_a_status_and_an_empty_answer():
    editor = Editor("FAIL")
    assert await editor.ask() == []
    assert editor.problems == ["the model is on fire"]


async def test_after_an_accept_the_next_suggestion_is_already_being_computed():
    editor = Editor("x = ")
    [completion] = await editor.ask()
    editor.type(completion.text)
    await settle()
    ahead = editor.backend.requests[-1]
    assert (ahead.trigger, ahead.offset, ahead.version) == (Trigger.PREFETCH, 7, 2)
    [following] = await editor.ask()
    assert following.text == "7:2"
    assert len(editor.backend.requests) == 2


async def test_a_request_joins_the_computation_under_way_and_cancelling_it_keeps_that():
    editor = Editor("SLOW")
    asked = editor.ask()
    editor.backend.go.set()
    [completion] = await asked
    editor.backend.go.clear()
    editor.type(completion.text)
    await settle()
    joined = editor.ask()
    await settle()
    joined.cancel()
    await settle()
    assert joined.cancelled()
    assert editor.backend.cancelled == 0
    editor.backend.go.set()
    await settle()
    [following] = await editor.ask()
    assert following.text == "7:2"
    assert len(editor.backend.requests) == 2


async def test_outcomes_are_learned_from_the_edits():
    editor = Editor("")
    editor.backend.answer = "alpha beta\ngamma"
    await editor.ask()
    editor.type("alpha ")
    await editor.ask()
    editor.type("b")
    await editor.ask()
    editor.type("eta\ngamma")
    await settle()
    assert [(f.outcome, f.characters) for f in editor.backend.feedback] == [
        (Outcome.PARTIAL, 6),
        (Outcome.ACCEPTED, 16),
    ]


async def test_typing_something_else_is_a_rejection_and_typing_it_out_is_not_an_accept():
    editor = Editor("")
    editor.backend.answer = "ab"
    await editor.ask()
    editor.type("x")
    await editor.ask()
    editor.type("a")
    editor.type("b")
    await settle()
    assert [f.outcome for f in editor.backend.feedback] == [Outcome.REJECTED, Outcome.TYPED]


async def test_an_edit_before_a_suggestion_moves_it_and_decides_nothing():
    editor = Editor("one\ntwo")
    editor.backend.answer = "abc"
    await editor.ask()
    editor.type("#", Position(0, 0))
    await settle()
    assert editor.backend.feedback == []
    editor.type("abc")
    await settle()
    assert [f.outcome for f in editor.backend.feedback] == [Outcome.ACCEPTED]


@pytest.mark.parametrize("uri", ["file:///home/u/.env", "file:///k/id_rsa", "file:///a/b%20c.pem"])
async def test_secrets_never_reach_the_backend(uri: str):
    editor = Editor("password", uri=uri)
    editor.type("!")
    assert await editor.ask(Trigger.INVOKED) == []
    editor.session.close(uri)
    assert editor.backend.texts == {}
    assert editor.backend.requests == []


async def test_switching_off_closes_the_documents_and_switching_on_brings_them_back():
    editor = Editor("ab")
    off, _ = editor.session.options.updated({"enabled": False})
    editor.session.set_options(off)
    editor.type("c")
    assert editor.backend.texts == {}
    assert await editor.ask() == []
    editor.session.set_options(Options())
    assert editor.backend.texts == {URI: (2, "abc")}
    assert len(await editor.ask()) == 1


async def test_the_backend_is_told_what_is_allowed_of_the_project_and_again_when_that_changes():
    editor = Editor("ab", Options(disabled_globs=("*.gen.py",)))
    editor.session.open("file:///other.py", "python", 1, "")
    backend = editor.backend
    assert backend.projects == {
        URI: [ProjectRules(True, ("*.gen.py",))],
        "file:///other.py": [ProjectRules(True, ("*.gen.py",))],
    }
    editor.type("c")
    editor.session.set_options(replace(editor.session.options, max_tokens=5))
    assert len(backend.projects[URI]) == 1  # nothing new about the project
    editor.session.set_options(replace(editor.session.options, project=False))
    assert backend.projects[URI][1:] == [ProjectRules(False, ("*.gen.py",))]
    more = replace(editor.session.options, project=True, disabled_globs=("*.gen.py", "*\ud800"))
    editor.session.set_options(more)
    now = ProjectRules(True, ("*.gen.py", "*\ufffd"))
    assert {uri: told[-1] for uri, told in backend.projects.items()} == {
        URI: now,
        "file:///other.py": now,
    }
    assert backend.texts[URI] == (2, "abc")
    assert {each.project for each in editor.session.shared()} == {now}
    assert len(await editor.ask()) == 1


async def test_a_document_that_the_settings_forbid_now_is_closed_whatever_else_they_say():
    editor = Editor("ab")
    forbidding = replace(editor.session.options, disabled_globs=("a.py",), project=False)
    editor.session.set_options(forbidding)
    assert editor.backend.texts == {}
    assert len(editor.backend.projects[URI]) == 1


async def test_globs_of_too_many_folders_to_be_told_keep_all_of_the_project_from_being_read():
    many = tuple(f"{number}.py" for number in range(4_001))
    editor = Editor("ab", Options(disabled_globs=many))
    assert editor.backend.projects[URI] == [ProjectRules(False)]


async def test_a_document_that_grows_past_the_limit_is_given_up_and_taken_back():
    editor = Editor("ab", Options(max_file_chars=3))
    editor.type("cd")
    assert editor.backend.texts == {}
    editor.version += 1
    editor.session.change(URI, editor.version, [Change("a")])
    assert editor.backend.texts == {URI: (3, "a")}


async def test_requests_for_unknown_documents_are_answered_with_nothing():
    editor = Editor("ab")
    assert await editor.session.complete("file:///no.py", Position(0, 0), Trigger.INVOKED) == []


async def test_a_new_daemon_is_told_of_every_document_but_the_secret_ones():
    editor = Editor("a")
    editor.session.open("file:///x/.env", "", 1, "PASSWORD=1")
    editor.type("b")
    [shared] = editor.session.shared()
    assert (shared.uri, shared.version, shared.text) == (URI, 2, "ab")


@pytest.mark.parametrize("uri", ["git:/a.py?x", "output:main", "vscode-scm:git/scm0/input"])
async def test_where_nobody_edits_code_nothing_is_suggested_unless_asked_for(uri: str):
    editor = Editor("x = ", uri=uri)
    assert await editor.ask() == []
    first, *_ = await editor.ask(Trigger.INVOKED)
    editor.type(first.text[:1])
    assert (await editor.ask())[0].text == first.text[1:]  # typed along
    editor.type("!")
    assert await editor.ask() == []


@pytest.mark.parametrize(
    "uri", ["file:///a.py", "untitled:Untitled-1", "vscode-notebook-cell:/a.ipynb#1", "sftp://h/a"]
)
async def test_where_code_is_edited_it_is_suggested(uri: str):
    assert await Editor("x = ", uri=uri).ask()


async def test_what_has_seen_a_project_is_asked_for_again_once_another_of_its_files_changed():
    editor = Editor("alpha")
    session, other = editor.session, "file:///other.py"
    session.open(other, "python", 1, "")
    await editor.ask()
    await editor.ask()
    assert len(editor.backend.requests) == 1  # known
    session.change(other, 2, [Change("x", Position(0, 0), Position(0, 0))])
    await editor.ask()
    assert len(editor.backend.requests) == 2
