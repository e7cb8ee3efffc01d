"""What a server is told of a project: chosen here, and taken back as soon as that is due."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from keyturn.api.chunk import Chunk
from keyturn.api.report import ChunkUse, Completion, CompletionMeta, ProjectUse
from keyturn.api.uris import KEPT_SCHEME, path_of
from keyturn.daemon.context.project_choice import ProjectChoice
from keyturn.daemon.context.remote_choice import MOST_CHARACTERS, RemoteChoice
from keyturn.daemon.file_text import FileText
from keyturn.daemon.server.engine import File
from keyturn.daemon.server.jobs import FileKey
from keyturn.lsp.backend import ProjectRules
from support.project.indexed_folder import IndexedFolder

MAIN = "from shapes import Circle\nfrom paint import paint\n\nround = Circle(\n"
FILES = {
    "shapes.py": "class Circle:\n    def __init__(self, radius: float) -> None: ...\n",
    "paint.py": "def paint(shape, colour: str) -> None: ...\n",
    "main.py": MAIN,
}


class Window:
    """One editor's files, and what a server was told of them."""

    def __init__(self, project: IndexedFolder) -> None:
        self.project = project
        self.open: dict[FileKey, File] = {}
        self.told: list[tuple[str, list[str]]] = []
        self.sizes: list[int] = []  # characters
        choice = ProjectChoice(project, path_of, self.open.values)
        self.remote = RemoteChoice(choice, 2048, self._tell)

    def _tell(self, file: File, chunks: tuple[Chunk, ...]) -> None:
        self.sizes.append(sum(len(each.text) for each in chunks))
        self.told.append((Path(path_of(file.key.uri)).name, [each.name for each in chunks]))

    def show(self, name: str, text: str, rules: ProjectRules | None = None) -> File:
        key = FileKey(1, (self.project.root / name).as_uri())
        self.open[key] = File(key, "python", 1, FileText.of(text), rules or ProjectRules())
        return self.open[key]

    def idle(self, file: File) -> bool:
        return self.remote.follow(file, self.open.values(), lambda: False)


@pytest.fixture
def window(tmp_path: Path) -> Iterator[Window]:
    made = Window(IndexedFolder(tmp_path / "project", tmp_path / "cache", FILES))
    yield made
    made.project.close()


def test_a_server_is_told_what_a_file_needs_of_its_project(window: Window) -> None:
    file = window.show("main.py", MAIN)
    assert window.idle(file) is True  # files change on disk without a key
    assert window.told == [("main.py", ["paint", "Circle"])]


def test_a_server_that_has_to_be_told_anew_is(window: Window) -> None:
    """It may be another one by now, or have been left and found again."""
    file = window.show("main.py", MAIN)
    for _ in range(2):
        window.idle(file)
    assert window.told == [("main.py", ["paint", "Circle"])] * 2


def test_what_may_no_longer_be_shown_is_taken_back_before_the_next_question(
    window: Window,
) -> None:
    window.remote.asks(window.show("main.py", MAIN), 5)
    window.idle(window.show("main.py", MAIN))
    window.remote.asks(window.show("main.py", MAIN), 5)
    assert len(window.told) == 1
    narrower = window.show("main.py", MAIN, ProjectRules(disabled_globs=("paint.*",)))
    window.remote.asks(narrower, 5)
    assert window.told[1:] == [("main.py", [])]
    window.idle(narrower)
    assert window.told[2:] == [("main.py", ["Circle"])]
    nothing = window.show("main.py", MAIN, ProjectRules(is_read=False))
    window.remote.asks(nothing, 5)
    assert window.idle(nothing) is False
    assert window.told[3:] == [("main.py", []), ("main.py", [])]


def test_what_may_no_longer_be_shown_is_taken_back_also_where_nobody_asks(
    window: Window,
) -> None:
    window.idle(window.show("main.py", MAIN))
    window.idle(window.show("main.py", MAIN, ProjectRules(disabled_globs=("paint.*",))))
    assert window.told[1:] == [("main.py", []), ("main.py", ["Circle"])]


def test_the_file_asked_about_last_is_looked_at_again_without_a_key(window: Window) -> None:
    main, other = window.show("main.py", MAIN), window.show("paint.py", FILES["paint.py"])
    window.remote.asks(main, 5)
    assert window.idle(other) is False
    assert window.idle(main) is True
    window.remote.forget(main.key)
    del window.open[main.key]
    assert window.idle(other) is True


def test_what_the_server_showed_is_known_where_it_is_chosen_again(window: Window) -> None:
    file = window.show("main.py", MAIN)
    window.remote.asks(file, len(MAIN) - 1)
    use = ProjectUse((ChunkUse("paint.py", 1, "paint"),))
    shown = [Completion("x", 0, 0, CompletionMeta(project=use))]
    assert window.remote.answered(file, shown) == shown
    window.idle(file)
    assert window.told[-1][1][0] == "Circle"  # whose arguments are being written


def test_an_answer_from_before_anything_was_shown_says_that_there_may_be_more(
    window: Window,
) -> None:
    file = window.show("main.py", MAIN)
    window.remote.asks(file, 5)
    (early,) = window.remote.answered(file, [Completion("x", 0, 0, CompletionMeta())])
    assert early.meta.project == ProjectUse(settled=False)
    window.idle(file)
    for settled in (False, True):  # a server that shows nothing is not asked for ever
        (answer,) = window.remote.answered(file, [Completion("x", 0, 0, CompletionMeta())])
        assert (answer.meta.project is None) == settled
    kept = window.show("main.py", MAIN, ProjectRules(is_read=False))
    (all_there_is,) = window.remote.answered(kept, [Completion("x", 0, 0, CompletionMeta())])
    assert all_there_is.meta.project is None


def test_a_headless_question_and_a_file_of_no_project_tell_nothing(
    window: Window, tmp_path: Path
) -> None:
    for uri in (f"{KEPT_SCHEME}{tmp_path}/project/main.py", (tmp_path / "alone.py").as_uri()):
        file = File(FileKey(1, uri), "python", 1, FileText.of(MAIN))
        window.open = {file.key: file}
        assert window.idle(file) is False
    assert window.told == [("alone.py", [])]


def test_no_more_is_sent_than_may_be_shown(tmp_path: Path) -> None:
    long = "a" * 190
    files = {
        f"m{n}.py": "\n".join(f"class C{n}_{i}:\n    def {long}{i}(self): ..." for i in range(9))
        for n in range(24)
    }
    uses = (f"from m{n} import *\nC{n}_1(C{n}_2())\n" for n in range(24))
    files["a.py"] = text = "".join(uses) + "C3_1("
    window = Window(IndexedFolder(tmp_path / "project", tmp_path / "cache", files))
    file = window.show("a.py", text)
    window.remote.asks(file, len(text))
    window.idle(file)
    assert 0 < window.sizes[0] <= MOST_CHARACTERS
    window.project.close()
