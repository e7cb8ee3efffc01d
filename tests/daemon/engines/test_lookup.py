"""Suggestions from what is there already, and where it is looked for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.api.uris import path_of
from keyturn.daemon.engines.lookup import LookupEngine
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from keyturn.daemon.workspace.project_files import Library
from keyturn.lsp.backend import ProjectRules
from keyturn.lsp.options import Options
from support.daemon.small_engine import job_for
from support.until import until


class Desk:
    """Files on disk, some of them open, and the engine that looks at them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: dict[str, File] = {}
        library = Library(lambda root: (Options(), ()), 2**20)
        self.engine = LookupEngine(self.opened.values, path_of, library)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def open(self, name: str, text: str) -> File:
        uri = (self.folder / name).as_uri()
        self.opened[name] = File(FileKey(1, uri), "python", 1, FileText.of(text))
        return self.opened[name]

    def ask(self, text: str, name: str = "here.py", candidates: int = 1) -> list[str]:
        """What is suggested at `|`."""
        before, _, after = text.partition("|")
        file = self.open(name, before + after)
        options = CompletionOptions(candidates=candidates)
        wanted = CompletionRequest(file.key.uri, 1, len(before), options=options)
        found = self.engine.complete(file, job_for(wanted, file.key))
        return [completion.text for completion in found if completion.text]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.engine.close()


def test_the_longest_match_wins_and_the_newest_of_those(desk: Desk):
    text = "a_total = first()\nthe_total = second()\nthe_total = third()\n"
    assert desk.ask(text + "the_total|") == [" = third()"]
    assert desk.ask(text + "a_total|") == [" = first()"]


def test_several_candidates_are_distinct_and_best_first(desk: Desk):
    text = "the_total = 1\nthe_total = 2\nthe_total = 1\nother_total = 3\nthe_total|"
    assert desk.ask(text, candidates=5) == [" = 1", " = 2", " = 3"]


def test_what_stands_behind_the_cursor_is_not_repeated(desk: Desk):
    assert desk.ask("total = call(one, two)\ntotal = call(|)") == ["one, two"]
    assert desk.ask("total = call(one, two)\ntotal = call(one|, two)\n") == []


def test_nothing_is_suggested_for_a_few_characters_or_for_space(desk: Desk):
    assert desk.ask("abc = 1\nabc|") == []
    assert desk.ask("        x = 1\n        |") == []


def test_other_open_files_are_looked_at_as_they_are_now(desk: Desk):
    desk.open("other.py", "the_answer = 41")
    assert desk.ask("the_answer|") == [" = 41"]
    desk.open("other.py", "the_answer = 42")
    assert desk.ask("the_answer|") == [" = 42"]
    elsewhere = FileKey(2, desk.opened["other.py"].key.uri)
    desk.opened["other.py"] = replace(desk.opened["other.py"], key=elsewhere)
    assert desk.ask("the_answer|") == []  # another window's


def until_said(desk: Desk, text: str, expected: list[str]) -> None:
    until(lambda: desk.ask(text) == expected, lambda: f"{expected}, but {desk.ask(text)}")


def test_the_project_is_not_looked_at_for_a_document_whose_editor_does_not_want_it(desk: Desk):
    (desk.folder / ".git").mkdir()
    desk.write("other.py", "the_answer = 41")
    until_said(desk, "the_answer|", [" = 41"])
    file = replace(desk.opened["here.py"], project=ProjectRules(is_read=False))
    wanted = CompletionRequest(file.key.uri, 1, len("the_answer"))
    [found] = desk.engine.complete(file, job_for(wanted, file.key))
    assert found.text == ""


def test_files_of_the_project_are_looked_at_as_they_are_on_disk_unless_they_are_open(desk: Desk):
    (desk.folder / ".git").mkdir()
    desk.write("here.py", "the_answer = 'here, as it was saved'")
    desk.write("other.py", "the_answer = 41")
    desk.write("other.js", "the_answer = 'in another language'")
    until_said(desk, "the_answer|", [" = 41"])
    desk.open("other.py", "nothing of it")
    assert desk.ask("the_answer|") == []
    del desk.opened["other.py"]
    desk.write("other.py", "the_answer = 42")
    until_said(desk, "the_answer|", [" = 42"])
