"""A next edit as an editor sees it: proposed in a pause, kept true while the user types on, and
never again once it was refused."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from keyturn.lsp.backend import Control, NextEditQuery, Phase, TextEdit
from keyturn.lsp.documents import Document, Documents
from keyturn.lsp.next_edit.features import item_at
from keyturn.lsp.next_edit.next_edits import NextEdits
from keyturn.lsp.next_edit.proposed_edit import ProposedEdit
from keyturn.lsp.options import Options
from keyturn.lsp.session import Session
from support.editors.editor import Editor, environment
from support.lsp.tiny_backend import TinyBackend
from support.until import until

TEXT = "def f(count):\n    total = count + 1\n    return count * total\n"
SHOWN = {"keyturn": {"nextEdit": True}}
WORDS = st.text(alphabet="ab\n", max_size=6)


@given(st.text(alphabet="ab\n", min_size=1, max_size=30), st.data())
def test_a_proposal_changes_its_own_range_or_is_dropped(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    proposed: ProposedEdit | None = ProposedEdit(
        1, start, stop, text[start:stop], "new", "why", 0.9
    )
    place = [-1, *range(len(text)), -2]  # which character is where, with the ends
    meant = place[start : stop + 2]  # what the proposal replaces, and what is beside it
    for _ in range(data.draw(st.integers(1, 4))):
        first = data.draw(st.integers(0, len(text)))
        edit = TextEdit(first, data.draw(st.integers(first, len(text))), data.draw(WORDS))
        proposed = proposed.after(edit)
        if proposed is None:
            return
        text = edit.apply(text)
        place[edit.start + 1 : edit.end + 1] = [-3] * len(edit.text)
        assert place[proposed.start : proposed.stop + 2] == meant
        assert text[proposed.start : proposed.stop] == proposed.old
        expected = text[: proposed.start] + "new" + text[proposed.stop :]
        assert proposed.edit.apply(text) == expected


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    with Editor(environment(tmp_path), "--in-process", experimental=SHOWN) as editor:
        editor.open(TEXT)
        yield editor


def changes(editor: Editor) -> list[dict[str, Any]]:
    """What was notified by now."""
    editor.call("workspace/executeCommand", {"command": "keyturn.why", "arguments": [editor.uri]})
    notes = (note for note in editor.notes if note.get("method") == "keyturn/nextEditChanged")
    return [note["params"]["edit"] for note in notes]


def taken(editor: Editor, edit: dict[str, Any]) -> None:
    lines = editor.text.splitlines(keepends=True)
    places = (edit["range"][side] for side in ("start", "end"))
    start, end = (sum(map(len, lines[: p["line"]])) + p["character"] for p in places)
    editor.replace(start, end, edit["text"])


def test_a_rename_leads_through_the_file_without_a_question(editor: Editor) -> None:
    editor.replace(6, 11, "number")
    for _ in range(2):
        until(lambda: changes(editor)[-1:] not in ([], [None]), "it is led on", 10)
        taken(editor, changes(editor)[-1])
    assert editor.text == TEXT.replace("count", "number")
    assert changes(editor)[-1] is None


def test_what_was_refused_does_not_come_back(editor: Editor) -> None:
    editor.replace(6, 11, "number")
    asked = {"textDocument": {"uri": editor.uri}, "position": editor.position(12)}
    found = editor.call("keyturn/nextEdit", asked)["result"]["edit"]
    assert (found["text"], found["why"]) == ("number", "count is now number")
    assert found["confidence"] == 0.99
    refused = {"command": "keyturn.nextEditRefused", "arguments": [editor.uri, found["number"]]}
    editor.call("workspace/executeCommand", refused)
    assert changes(editor)[-1] is None
    assert editor.call("keyturn/nextEdit", asked)["result"] == {"edit": None}


def test_plug_ins_of_another_server_get_what_they_expect(editor: Editor) -> None:
    editor.replace(6, 11, "number")
    document = {"uri": editor.uri, "version": editor.version}
    asked = {
        "textDocument": document,
        "position": editor.position(12),
        "context": {"triggerKind": 2},
    }
    [edit] = editor.call("textDocument/copilotInlineEdit", asked)["result"]["edits"]
    assert edit["textDocument"] == document
    assert edit["text"] == "number"
    assert edit["range"]["start"] == {"line": 1, "character": 12}
    command = {name: edit["command"][name] for name in ("command", "arguments")}
    assert "error" not in editor.call("workspace/executeCommand", command)


def test_one_setting_turns_them_off_also_what_is_shown(editor: Editor) -> None:
    editor.replace(6, 11, "number")
    asked = {"textDocument": {"uri": editor.uri}, "position": editor.position(12)}
    assert editor.call("keyturn/nextEdit", asked)["result"]["edit"]
    settings = {"settings": {"keyturn": {"nextEdits": False}}}
    editor.notify("workspace/didChangeConfiguration", settings)
    assert changes(editor)[-1] is None
    assert editor.call("keyturn/nextEdit", asked)["result"] == {"edit": None}


@pytest.mark.parametrize("params", [{}, {"textDocument": {"uri": 3}}, None, {"position": {}}])
def test_a_malformed_question_is_refused(editor: Editor, params: Any) -> None:
    assert editor.call("keyturn/nextEdit", params)["error"]["code"] == -32602


def test_lines_that_end_as_on_windows_stay_so(editor: Editor) -> None:
    editor.open("\ufeff" + TEXT.replace("\n", "\r\n"))
    start = editor.text.index("count")
    editor.replace(start, start + 5, "number")
    asked = {"textDocument": {"uri": editor.uri}, "position": editor.position(start)}
    for _ in range(2):
        taken(editor, editor.call("keyturn/nextEdit", asked)["result"]["edit"])
    assert editor.text == "\ufeff" + TEXT.replace("count", "number").replace("\n", "\r\n")


def test_at_the_cursor_it_replaces_its_range_for_who_shows_nothing_elsewhere(
    tmp_path: Path,
) -> None:
    with Editor(environment(tmp_path), "--in-process") as editor:
        editor.open(TEXT)
        editor.replace(6, 11, "number")
        at = TEXT.index("count", 11) + len("number") - len("count") + 2
        asked = {
            "textDocument": {"uri": editor.uri},
            "position": editor.position(at),
            "context": {"triggerKind": 1},
        }
        [item] = editor.call("textDocument/inlineCompletion", asked)["result"]["items"]
        assert item["insertText"] == "number"
        assert item["range"]["start"] == editor.position(at - 2)
        assert item["range"]["end"] == editor.position(at + 3)
        elsewhere = {**asked, "position": editor.position(3)}
        assert not editor.call("textDocument/inlineCompletion", elsewhere)["result"]["items"]


async def test_a_word_that_is_being_written_is_waited_for() -> None:
    asked: list[float] = []
    document = Document("file:///a.py", "python", 1, "word")
    loop = asyncio.get_running_loop()

    async def ask(query: NextEditQuery) -> dict[str, Any]:
        asked.append(loop.time())
        return {}

    edits = NextEdits(ask, {}.get, lambda document, found: None)
    began = loop.time()
    edits.changed(document, [TextEdit(3, 3, "d")], True)
    await asyncio.sleep(0.6)
    assert not asked
    edits.changed(document, [TextEdit(0, 0, "a whole line\n")], True)
    while not asked:
        assert loop.time() - began < 10
        await asyncio.sleep(0.05)


# region What is asked and answered while other things happen

RENAMED = "def f(number):\n    return count\n"  # the first of two places is done
PROPOSED = {
    "start": 26,
    "stop": 31,
    "old": "count",
    "new": "number",
    "why": "it is",
    "confidence": 0.9,
}


class Asked:
    """Proposals whose answers are given when the test says so."""

    def __init__(self, *documents: Document) -> None:
        self.queries: list[NextEditQuery] = []
        self.shown: list[Any] = []
        self._answers: list[asyncio.Future[dict[str, Any]]] = []
        self._documents = {each.uri: each for each in documents}
        self.edits = NextEdits(self._ask, self._documents.get, self._show)

    async def _ask(self, query: NextEditQuery) -> dict[str, Any]:
        self.queries.append(query)
        self._answers.append(asyncio.get_running_loop().create_future())
        return await self._answers[-1]

    def _show(self, document: Document, found: Any) -> None:
        self.shown.append(found and found[1].new)

    async def answer(self, number: int, **data: Any) -> None:
        self._answers[number].set_result(data)
        await asyncio.sleep(0)


@pytest.fixture
def document() -> Document:
    return Document("file:///a.py", "python", 1, RENAMED)


async def asked_twice(document: Document, *others: Document) -> tuple[Asked, asyncio.Task[Any]]:
    asked = Asked(document, *others)
    task = asyncio.create_task(asked.edits.at(document, 12))
    await asyncio.sleep(0)
    return asked, task


async def test_what_is_refused_while_it_is_looked_for_again_does_not_come_back(
    document: Document,
) -> None:
    asked, first = await asked_twice(document)
    await asked.answer(0, edit=PROPOSED)
    found = await first
    assert found is not None
    second = asyncio.create_task(asked.edits.at(document, 12))
    await asyncio.sleep(0)
    asked.edits.refused(document, found[1].number)
    await asked.answer(1, edit=PROPOSED)
    assert await second is None
    assert asked.shown == ["number", None]


async def test_what_was_asked_about_a_text_that_is_gone_is_not_shown(document: Document) -> None:
    for end in (lambda a: a.edits.forget(document.uri), lambda a: a.edits.drop(document)):
        asked, task = await asked_twice(document)
        end(asked)
        await asked.answer(0, edit=PROPOSED)
        assert await task is None
        assert asked.shown == []


async def test_a_question_that_was_overtaken_hides_nothing(document: Document) -> None:
    asked, first = await asked_twice(document)
    await asked.answer(0, edit=PROPOSED)
    shown = await first
    second = asyncio.create_task(asked.edits.at(document, 12))
    await asyncio.sleep(0)
    await asked.answer(1, superseded=True)
    assert await second == shown
    assert asked.shown == ["number"]


async def test_a_proposal_goes_with_what_it_follows_from(document: Document) -> None:
    asked, task = await asked_twice(document)
    await asked.answer(0, edit=PROPOSED)
    await task
    asked.edits.changed(document, [TextEdit(12, 12, "s")], False)  # of the word that was changed
    assert asked.shown == ["number", None]


async def test_one_in_another_document_is_shown_there_and_led_to_from_here(
    document: Document,
) -> None:
    other = Document("file:///b.py", "python", 4, "from a import count\n")
    asked, task = await asked_twice(document, other)
    there = {**PROPOSED, "start": 14, "stop": 19, "uri": other.uri, "version": 4}
    await asked.answer(0, elsewhere=[{**there, "start": 3, "stop": 8}, there])
    found = await task
    assert found is not None
    assert found[0] is other
    assert (found[1].start, found[1].new) == (14, "number")
    assert asked.shown == ["number", "number"]  # to both users
    asked.edits.changed(document, [TextEdit(0, 0, "\n")], False)
    assert asked.shown[2:] == ["number"]  # here again, for another version
    asked.edits.changed(document, [TextEdit(13, 13, "s")], False)  # of the word that was changed
    assert asked.shown[3:] == [None, None]  # and taken back there


async def test_who_was_led_to_a_document_is_told_when_nothing_is_there_any_more(
    document: Document,
) -> None:
    other = Document("file:///b.py", "python", 4, "from a import count\n")
    there = {**PROPOSED, "start": 14, "stop": 19, "uri": other.uri, "version": 4}
    for end in (
        lambda a, f: a.edits.refused(other, f[1].number),
        lambda a, f: a.edits.changed(other, [TextEdit(15, 16, "")], False),
        lambda a, f: a.edits.forget(other.uri),
    ):
        asked, task = await asked_twice(document, other)
        await asked.answer(0, elsewhere=[there])
        end(asked, await task)
        assert asked.shown[2:] in ([None], [None, None])


class Busy(TinyBackend):
    """Never says what may be changed next."""

    async def control(self, command: Control) -> dict[str, Any]:
        self.controls.append(command)
        await asyncio.Event().wait()
        return {}


async def test_who_waits_for_a_suggestion_does_not_wait_for_a_next_edit() -> None:
    backend = Busy()
    session = Session(backend, Documents(), Options(), lambda problem: None)
    session.open("file:///a.py", "python", 1, RENAMED)
    place = types.Position(1, 12)
    assert await item_at(session, "file:///a.py", place) is None
    assert not backend.controls  # while the backend is not ready, nobody is asked
    session.phase = Phase.READY
    assert await item_at(session, "file:///a.py", place) is None
    assert [type(each) for each in backend.controls] == [NextEditQuery]


# endregion
