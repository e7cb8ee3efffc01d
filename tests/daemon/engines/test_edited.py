"""An edit on its way: from a change in the editor's text to the file's session and the grammar."""

import time
from collections.abc import Iterator
from itertools import count
from queue import SimpleQueue
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.api.request import CompletionOptions, CompletionRequest, GrammarMode
from keyturn.api.uris import path_of
from keyturn.cache.budget import Budget
from keyturn.daemon.completion.completer import CompleterOptions
from keyturn.daemon.completion.grammars import Grammars
from keyturn.daemon.completion.idle_refresh import IdleWork, Refresher
from keyturn.daemon.completion.regions import region_at
from keyturn.daemon.completion.request import InfillRequest
from keyturn.daemon.engines.model_engine import ModelEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.engine_thread import EngineThread
from keyturn.daemon.server.jobs import Complete, Edit, FileKey, Inspect, Open, Reply, Stop
from keyturn.lsp.backend import TextEdit
from keyturn.models.grammar.oracle import Unconstrained
from support.daemon.model_engines import tiny_engine, tiny_loaded
from support.models.tiny_tokenizer import PAGE

NEW = ["x", "", "\n    y = 1", "def g(a):\n", "\r\n", "\r", "\ufeff", "é😀", "  # " + "word " * 9]


def model_engine() -> ModelEngine:
    refresher = Refresher(IdleWork.FULL, lambda: False)
    return ModelEngine(tiny_loaded(), CompleterOptions(), path_of, Budget(1 << 30), refresher)


class Running:
    """An engine thread, and an engine beside it that never saw an edit."""

    def __init__(self) -> None:
        self.engine, self._fresh = model_engine(), model_engine()
        self._thread = EngineThread(lambda *_: self.engine, lambda state: None)
        self._thread.start()
        self._clients = count(1)

    def open(self, text: str) -> FileKey:
        """In a window of its own."""
        key = FileKey(next(self._clients), "file:///a.py")
        self.put(Open(key, "python", 0, text))
        return key

    def put(self, job: Any) -> None:
        self._thread.put(job)

    def ask(self, key: FileKey, version: int, offset: int) -> list[str]:
        replied: SimpleQueue[Reply] = SimpleQueue()
        self.put(Complete(key, asked(version, offset), time.monotonic() + 60, replied.put))
        outcome = replied.get(timeout=60)
        assert outcome.completions is not None, outcome
        return [each.text for each in outcome.completions]

    def settle(self) -> None:
        """Wait until idle time has made all caches exact, so that they can be compared."""
        stale = True
        while stale:
            status: SimpleQueue[dict[str, Any]] = SimpleQueue()
            self.put(Inspect(status.put))
            stale = any(file["stale_share"] for file in status.get(timeout=60)["files"])

    def ask_anew(self, text: str, offset: int) -> list[str]:
        """The same of a file that was opened with this text."""
        file = File(FileKey(next(self._clients), "file:///a.py"), "python", 0, FileText.of(text))
        job = Complete(file.key, asked(0, offset), time.monotonic() + 60, lambda outcome: None)
        found = self._fresh.complete(file, job)
        self._fresh.forget(file.key)
        return [each.text for each in found]

    def stop(self) -> None:
        self._thread.put(Stop())
        self._thread.join()
        self._fresh.close()


def asked(version: int, offset: int) -> CompletionRequest:
    # A search under a grammar that a random model is at odds with ends by the clock.
    options = CompletionOptions(max_tokens=3, deadline_ms=60_000, grammar=GrammarMode.OFF)
    return CompletionRequest("file:///a.py", version, offset, options=options)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@given(data=st.data())
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_after_any_edits_an_answer_is_that_of_a_file_just_opened(
    running: Running, newline: str, data: st.DataObject
) -> None:
    draw = data.draw
    text = draw(st.sampled_from(["", "\ufeff"])) + PAGE.replace("\n", newline)
    texts = {running.open(text): text for _ in range(2)}  # two windows, edited apart
    for version in range(1, draw(st.integers(2, 4))):
        for key in texts:
            edits = []
            for _ in range(draw(st.integers(0, 3))):
                text = texts[key]
                start = draw(st.integers(0, len(text)))
                end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 40, 10_000])))
                edits.append(TextEdit(start, end, draw(st.sampled_from(NEW))))
                texts[key] = edits[-1].apply(text)
            running.put(Edit(key, version, tuple(edits)))
            offset = draw(st.integers(0, len(texts[key])))
            running.ask(key, version, offset)
            running.settle()
            assert running.ask(key, version, offset) == running.ask_anew(texts[key], offset)


def test_an_open_file_is_one_string_for_all_and_nothing_is_compared() -> None:
    session = tiny_engine().new_session()
    text = FileText.of(PAGE)
    session.show(text.text)
    assert session.text.text is text.text
    for edit in (TextEdit(9, 9, "x"), TextEdit(0, 4, ""), TextEdit(0, len(PAGE) - 3, PAGE)):
        before = text
        text, edited = before.edited(edit)
        session.follow(before.text, [edited])
        assert session.text.text is text.text
    assert list(session.text.ids) == tiny_loaded().tokenizer.encode(text.text)


def test_a_session_whose_text_is_another_one_waits_for_the_whole_text() -> None:
    session = tiny_engine().new_session()
    session.show("x = 1\n")
    before = FileText.of("y = 22\n")
    after, edited = before.edited(TextEdit(0, 1, "z"))
    session.follow(before.text, [edited])
    assert session.text.text == "x = 1\n"
    session.show(after.text)
    assert session.text.text is after.text


def test_a_formatter_that_replaces_the_whole_text_costs_what_it_changed() -> None:
    session = tiny_engine().new_session()
    session.show(PAGE)
    labels = session.text.part(0, len(PAGE)).labels
    after = PAGE.replace("self._items", "self._things", 1)
    session.follow(PAGE, [FileText.of(PAGE).edited(TextEdit(0, len(PAGE), after))[1]])
    kept = set(labels) & set(session.text.part(0, len(after)).labels)
    assert len(kept) > len(labels) - 12


def test_a_grammar_reads_what_the_edits_made_of_a_page_wherever_the_cursor_is() -> None:
    grammars, session = Grammars(), tiny_engine().new_session()
    page = "<script>\nlet a = [1];\n</script>\n<p>x</p>\n<style>\np { color: red }\n</style>\n"
    text = FileText.of(page)
    session.show(text.text)
    for old, new in (("a", "bc"), ("[1]", "[1, ["), ("red", "}"), ("let", "// let"), ("<p>", "")):
        start = text.text.index(old)
        before, (text, edited) = text, text.edited(TextEdit(start, start + len(old), new))
        session.follow(before.text, [edited])
        for cursor in (*range(0, len(text.text), 5), start, start + len(new)):
            request = InfillRequest(text.text[:cursor], text.text[cursor:], "a.vue")
            region = region_at(request.path, request.prefix, request.suffix)
            told, anew = (
                grammars.begin(request, region, lambda text, finish: text, followed)().start
                for followed in (session.grammar, None)
            )
            assert isinstance(told, Unconstrained) == isinstance(anew, Unconstrained)
            for data in (b"]", b"}", b";", b"</script>", b"x"):
                assert (told.feed(data) is None) == (anew.feed(data) is None), (request, data)
    grammars.close()
