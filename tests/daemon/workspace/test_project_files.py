"""The files of a project: which are read, and that they are kept true."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.daemon.workspace import project_files as module
from keyturn.daemon.workspace.project import MOST_FILE_BYTES, project_of
from keyturn.daemon.workspace.project_files import MOST_PROBLEMS, Library
from keyturn.lsp.options import Options
from support.until import until


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / "package").mkdir()
    return root


@pytest.fixture
def make() -> Iterator[Callable[..., Library]]:
    made: list[Library] = []

    def make(most: int = 2**20, options: Options | None = None) -> Library:
        made.append(Library(lambda root: (options or Options(), ()), most))
        made[-1].start()
        return made[-1]

    yield make
    for library in made:
        library.close()


def texts(library: Library, path: Path) -> dict[str, str]:
    return {volume.path.name: volume.text for volume in library.around(path)}


def until_read(library: Library, path: Path, expected: dict[str, str]) -> None:
    what = lambda: f"{expected}, but {texts(library, path)}"  # noqa: E731
    until(lambda: texts(library, path) == expected, what)


def test_a_project_is_the_repository_or_the_folder_with_our_own_file(root: Path):
    assert project_of(root / "package" / "new.py") == root
    (root / "package" / "keyturn.toml").touch()
    assert project_of(root / "package" / "new.py") == root
    (root / ".git").rmdir()
    assert project_of(root / "package" / "new.py") == root / "package"
    assert project_of(root / "new.py") is None
    assert project_of(root / "package" / ".." / "new.py") is None


def test_only_small_text_files_of_ones_own_that_are_no_secrets_are_read(
    root: Path, make: Callable[..., Library]
):
    (root / "package" / "good.py").write_text("é = 1")
    (root / "binary.py").write_bytes(b"a\0b")
    (root / "latin.py").write_bytes("é".encode("latin-1"))
    (root / "large.py").write_text("#" * (MOST_FILE_BYTES + 1))
    (root / "link.py").symlink_to(root / "package" / "good.py")
    (root / "secrets.py").write_text("password = 1")
    (root / ".env").write_text("PASSWORD=1")
    (root / "notes").write_text("who knows")
    (root / ".gitignore").write_text("/generated\n")
    (root / "generated").mkdir()
    (root / "generated" / "made.py").write_text("made = 1")
    os.mkfifo(root / "pipe.py")
    library = make()
    until_read(library, root / "here.py", {"good.py": "é = 1"})
    assert library.status() == {"projects": 1, "files": 1, "characters": 5}


def test_rules_that_cannot_be_read_are_known_and_no_more_than_a_few_of_them(
    root: Path, make: Callable[..., Library]
):
    (root / "good.py").write_text("good = 1")
    library = make()
    until_read(library, root / "here.py", {"good.py": "good = 1"})
    assert library.problems() == []
    (root / "package" / "a.py").write_text("a = 1")
    (root / "package" / ".gitignore").mkdir()
    until(library.problems, "a problem")
    told = f"nothing below {root}/package is read: .gitignore: it is no regular file"
    assert library.problems() == [told]
    for number in range(MOST_PROBLEMS):
        folder = root / f"\x1b[2J\udcff{number:03}"
        folder.mkdir()
        (folder / "a.py").write_text("a = 1")
        (folder / ".gitignore").symlink_to("/dev/zero")
    until(lambda: len(library.problems()) > MOST_PROBLEMS, "the last problem")
    *shown, more = library.problems()
    assert (len(shown), more) == (MOST_PROBLEMS, "and 1 problems more")
    assert all(each.isprintable() for each in shown)  # no terminal's commands, no half characters
    (root / "package" / ".gitignore").rmdir()
    until(lambda: told not in library.problems(), "a problem that is no more is forgotten")


def test_what_happens_on_disk_is_noticed(root: Path, make: Callable[..., Library]):
    library = make()
    here = root / "here.py"
    file = root / "package" / "a.py"
    file.write_text("1")
    until_read(library, here, {"a.py": "1"})
    file.write_text("2")
    until_read(library, here, {"a.py": "2"})
    replacement = file.with_suffix(".new")
    replacement.write_text("3")
    replacement.rename(file)  # as editors save
    until_read(library, here, {"a.py": "3"})
    (root / "new").mkdir()
    (root / "new" / "b.py").write_text("4")
    until_read(library, here, {"a.py": "3", "b.py": "4"})
    (root / "new").rename(root / "moved")
    (root / "moved" / "b.py").write_text("5")
    until_read(library, here, {"a.py": "3", "b.py": "5"})
    (root / ".gitignore").write_text("package/\n")
    until_read(library, here, {"b.py": "5"})
    (root / ".gitignore").unlink()
    until_read(library, here, {"a.py": "3", "b.py": "5"})
    file.unlink()
    until_read(library, here, {"b.py": "5"})
    (root / "moved" / "b.py").write_bytes(b"\0")
    until_read(library, here, {})


def test_a_folder_that_is_removed_and_made_again_at_once_is_still_watched(
    root: Path, make: Callable[..., Library]
):
    library = make()
    file = root / "package" / "a.py"
    file.write_text("1")
    until_read(library, root / "here.py", {"a.py": "1"})
    file.unlink()
    file.parent.rmdir()
    file.parent.mkdir()
    file.write_text("2")
    until_read(library, root / "here.py", {"a.py": "2"})
    file.write_text("3")
    until_read(library, root / "here.py", {"a.py": "3"})


def test_there_is_room_for_so_much_text_and_the_nearest_files_come_first(
    root: Path, make: Callable[..., Library]
):
    for name in ("a", "b", "c"):
        (root / name).mkdir()
        (root / name / f"{name}.py").write_text(name * 100)
    library = make(250)
    until(
        lambda: library.around(root / "c" / "here.py") and library.status()["files"] == 2,
        "two files, for which there is room",
    )
    assert "c.py" in texts(library, root / "c" / "here.py")
    (root / "c" / "c.py").write_text("c" * 200)
    until(lambda: library.status()["files"] == 1, "a file that has outgrown the room is left out")
    assert make(0).around(root / "here.py") == []


def test_the_settings_of_a_project_say_what_may_be_read(root: Path, make: Callable[..., Library]):
    (root / "a.py").write_text("a")
    (root / "b.py").write_text("b")
    library = make(options=replace(Options(), disabled_globs=("b.*",)))
    until_read(library, root / "here.py", {"a.py": "a"})


def test_a_project_with_more_folders_than_can_be_watched_is_read_again_later(
    root: Path, make: Callable[..., Library], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MOST_WATCHES", 1)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.05)
    library = make()
    (root / "package" / "a.py").write_text("1")
    until_read(library, root / "here.py", {"a.py": "1"})
    (root / "package" / "a.py").write_text("2")
    until_read(library, root / "here.py", {"a.py": "2"})


def test_only_a_few_projects_are_kept(tmp_path: Path, make: Callable[..., Library]):
    library = make()
    for number in range(6):
        root = tmp_path / str(number)
        (root / ".git").mkdir(parents=True)
        (root / "a.py").write_text(str(number))
        until_read(library, root / "here.py", {"a.py": str(number)})
    assert library.status()["projects"] == 4
    until_read(library, tmp_path / "0" / "here.py", {"a.py": "0"})
