"""Indexing by the real process, on real folders: what is read, what never is, and what happens to
the index when files, rules, settings and processes come and go."""

import contextlib
import os
import shutil
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import torch

from keyturn.cache.chunks.spill import DiskChunks
from keyturn.cache.quantised import QuantisedRows
from keyturn.daemon.config import settings_in
from keyturn.daemon.project.index import ProjectIndex
from keyturn.daemon.project.indexing.indexer import COMMAND, Indexer
from keyturn.daemon.project.indexing.known import Known
from keyturn.daemon.project.place import CHUNKS, Place
from keyturn.daemon.project.schema import unpacked
from keyturn.daemon.workspace.project import MOST_FILE_BYTES
from support.until import until

Make = Callable[..., Indexer]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path / "config"))
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    return root


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Indexer] = []

    def make(command: tuple[str, ...] = COMMAND) -> Indexer:
        made.append(Indexer(tmp_path / "cache", settings_in, command, first_wait_seconds=0.01))
        return made[-1]

    yield make
    for each in made:
        each.close()


def known(indexer: Indexer, root: Path, near: str = "here.py") -> Known:
    found = until(lambda: indexer.around(root / near), indexer.status)
    assert found is not None
    return found


def read(indexer: Indexer, root: Path, near: str = "here.py") -> ProjectIndex:
    """The index, once everything has been read."""
    found = known(indexer, root, near)
    until(lambda: found.state == "read", lambda: (found.state, found.facts, indexer.status()))
    return found.index


def names(index: ProjectIndex) -> list[str]:
    return sorted(each.name for path in index.files() for each in index.members(path))


def until_known(index: ProjectIndex, *expected: str) -> None:
    until(lambda: names(index) == sorted(expected), lambda: names(index))


def everything_in(place: Place) -> bytes:
    """All that is kept on disk of a project, sources unpacked."""
    files = [path for path in place.folder.parent.rglob("*") if path.is_file()]
    with sqlite3.connect(place.database) as connection:
        sources = [
            unpacked(data) for (data,) in connection.execute("SELECT source FROM definitions")
        ]
    connection.close()
    return b"".join(path.read_bytes() for path in files) + "".join(sources).encode()


def pid_of(indexer: Indexer) -> int:
    told = until(lambda: indexer.status().get("indexer"), indexer.status)
    return int(str(told).split()[1])


def test_what_happens_on_disk_is_noticed(root: Path, make: Make):
    (root / "package").mkdir()
    (root / "package" / "a.py").write_text("def one(): ...\n")
    index = read(make(), root)
    until_known(index, "one")
    version = index.version()
    (root / "package" / "a.py").write_text("def two(): ...\n")
    until_known(index, "two")
    assert index.version() != version
    replacement = root / "package" / "a.new"
    replacement.write_text("def three(): ...\n")
    replacement.rename(root / "package" / "a.py")  # as editors save
    until_known(index, "three")
    (root / "new" / "deep").mkdir(parents=True)
    (root / "new" / "deep" / "b.go").write_text("package b\nfunc Four() {}\n")
    until_known(index, "Four", "three")
    (root / "new").rename(root / "moved")
    until(lambda: index.files("moved") == ["moved/deep/b.go"], index.files)
    until_known(index, "Four", "three")
    (root / ".gitignore").write_text("package/\n")
    until_known(index, "Four")
    (root / ".gitignore").unlink()
    until_known(index, "Four", "three")
    (root / "keyturn.toml").write_text("[completion]\ndisabled_globs = ['b.*']\n")
    until_known(index, "three")
    (root / "package" / "a.py").unlink()
    until_known(index)


def test_nothing_is_read_that_is_ignored_secret_large_binary_a_link_or_outside(
    root: Path, make: Make, tmp_path: Path
):
    secret = "def hidden_secret(): ...\n"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.py").write_text(secret)
    (root / "ok.py").write_text("def fine(): ...\n")
    (root / ".gitignore").write_text("ignored/\n*.gen.py\n")
    (root / "ignored").mkdir()
    (root / "ignored" / "a.py").write_text(secret)
    (root / "a.gen.py").write_text(secret)
    (root / "secrets.py").write_text(secret)
    (root / "linked.py").symlink_to(tmp_path / "outside" / "a.py")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    (root / "large.py").write_text(secret + "#" * MOST_FILE_BYTES)
    (root / "binary.py").write_bytes(secret.encode() + b"\0")
    (root / "latin.py").write_bytes(secret.encode() + "é".encode("latin-1"))
    (root / "closed.py").write_text(secret)
    (root / "keyturn.toml").write_text("[completion]\ndisabled_globs = ['*/closed.py']\n")
    os.mkfifo(root / "pipe.py")
    (root / "line\nbreak.py").write_text("def odd(): ...\n")
    with open(os.fsencode(root) + b"/half\xff.py", "w") as file:
        file.write("def half(): ...\n")
    indexer = make()
    index = read(indexer, root, "ignored/a.py")
    assert index.files() == ["line\nbreak.py", "ok.py"]
    assert names(index) == ["fine", "odd"]
    kept = everything_in(index.place)
    assert b"fine" in kept
    assert b"hidden" not in kept
    assert index.status().bytes > 0


@pytest.mark.parametrize("near", ["link/cur.py", "../outside/cur.py", "in/../link/cur.py"])
def test_nothing_outside_is_read_for_an_open_file_that_only_seems_to_be_in_the_project(
    root: Path, make: Make, tmp_path: Path, near: str
):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("cur", "beside"):
        (outside / f"{name}.py").write_text(f"def hidden_{name}(): ...\n")
    (root / "link").symlink_to(outside)
    (root / "ok.py").write_text("def fine(): ...\n")
    indexer = make()
    index = read(indexer, root)
    indexer.around(root / near)
    indexer.close()
    again = make()
    again.around(root / near)
    assert names(read(again, root, near if near[0] != "." else "here.py")) == ["fine"]
    assert b"hidden" not in everything_in(index.place)


def test_a_repository_within_a_project_is_not_part_of_it(root: Path, make: Make):
    (root / "ok.py").write_text("def fine(): ...\n")
    for folder in (root / "top", root / "lib" / "deep"):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a.py").write_text("def theirs(): ...\n")
    (root / "top" / ".git").mkdir()
    (root / "lib" / "deep" / ".git").write_text("gitdir: /nowhere\n")
    index = read(make(), root)
    assert names(index) == ["fine"]
    (root / "lib" / "deep" / "sub" / "b.py").write_text("def theirs(): ...\n")
    (root / "lib" / "ours.py").write_text("def ours(): ...\n")
    until_known(index, "fine", "ours")
    (root / "lib" / "deep" / ".git").unlink()
    until_known(index, "fine", "ours", "theirs", "theirs")
    (root / "lib" / "deep" / ".git").mkdir()
    until_known(index, "fine", "ours")


def test_a_file_that_comes_to_be_ignored_leaves_the_index_when_the_next_one_starts(
    root: Path, make: Make
):
    (root / "a.py").write_text("def gone(): ...\n")
    (root / "b.py").write_text("def stays(): ...\n")
    first = make()
    assert names(read(first, root)) == ["gone", "stays"]
    first.close()
    (root / ".gitignore").write_text("a.py\n")
    index = read(make(), root)
    assert names(index) == ["stays"]
    assert b"gone" not in everything_in(index.place)


def test_only_what_has_changed_is_read_again(root: Path, make: Make):
    for number in range(3):
        (root / f"{number}.py").write_text(f"def f{number}(): ...\n")
    first = make()
    index = read(first, root)
    first.close()
    with sqlite3.connect(index.place.database) as connection:
        connection.execute("UPDATE definitions SET name = 'kept' WHERE name = 'f0'")
    connection.close()
    (root / "1.py").write_text("def changed(): ...\n")
    assert names(read(make(), root)) == ["changed", "f2", "kept"]


def test_the_files_next_to_the_open_one_and_those_that_it_imports_come_first(
    root: Path, make: Make, monkeypatch: pytest.MonkeyPatch
):
    for folder in ("a", "b", "z"):
        (root / folder).mkdir()
        for name in ("one", "two"):
            (root / folder / f"{name}.py").write_text(f"def {folder}_{name}(): ...\n")
    (root / "z" / "here.py").write_text("from b.two import b_two\n")
    index = read(make(), root, "z/here.py")
    with sqlite3.connect(index.place.database) as connection:
        order = [path for (path,) in connection.execute("SELECT path FROM files ORDER BY id")]
    connection.close()
    assert order[:4] == ["z/here.py", "z/one.py", "z/two.py", "b/two.py"]


def test_an_indexer_that_is_killed_leaves_a_sound_index_and_is_started_again(
    root: Path, make: Make
):
    for number in range(400):
        (root / f"{number}.py").write_text(f"def f{number}(): ...\n" * 5)
    indexer = make()
    index = known(indexer, root).index
    killed: set[int] = set()
    while len(killed) < 2:
        until(lambda: index.status().files or killed, index.status)
        if (pid := pid_of(indexer)) not in killed:
            killed.add(pid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    until(lambda: index.status().files == 400, lambda: (indexer.status(), index.status()))
    read(indexer, root)
    with sqlite3.connect(index.place.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    connection.close()


DIES_OF = """
import os, sys
from keyturn.daemon.project.indexing import keeper, process
read = keeper.outline
def outline(path, *rest, **more):
    if path.endswith("deadly.py"):
        os.abort()
    return read(path, *rest, **more)
keeper.outline = outline
process.main()
"""


def test_a_file_of_which_the_indexer_dies_twice_is_left_out_until_it_changes(
    root: Path, make: Make
):
    for name in ("a", "deadly", "z"):
        (root / f"{name}.py").write_text(f"def {name}(): ...\n")
    indexer = make((sys.executable, "-c", DIES_OF))
    index = known(indexer, root, "z.py").index
    until(lambda: index.status().facts.get("read_at"), indexer.status)
    assert index.files() == ["a.py", "deadly.py", "z.py"]
    assert names(index) == ["a", "z"]
    (root / "deadly.py").rename(root / "harmless.py")
    until_known(index, "a", "deadly", "z")


def test_an_indexer_that_always_dies_is_given_up_and_said_to_be(root: Path, make: Make):
    (root / "a.py").write_text("a = 1")
    indexer = make((sys.executable, "-c", "print('Fatal Python error'); raise SystemExit(3)"))
    known(indexer, root)
    problems = until(lambda: indexer.status().get("problems"), indexer.status)
    assert problems == ["the indexer has ended 6 times and stays away: see the log"]
    indexer.busy()
    indexer.idle()
    assert known(indexer, root).index.named(["a"], ["python"]) == []


def test_a_broken_index_is_made_anew(root: Path, make: Make):
    (root / "a.py").write_text("def a(): ...\n")
    first = make()
    index = read(first, root)
    first.close()
    for path in index.place.folder.iterdir():
        path.write_bytes(b"SQLite format 3\0" + b"broken" * 10_000)
    assert names(index) == []
    assert names(read(make(), root)) == ["a"]


@pytest.mark.parametrize("folder", ["src", "src/deep", "."])
def test_a_folder_that_is_removed_and_made_again_at_once_is_still_watched(
    root: Path, make: Make, folder: str
):
    here = root / folder
    here.mkdir(parents=True, exist_ok=True)
    (here / "a.py").write_text("def one(): ...\n")
    index = read(make(), root)
    until_known(index, "one")
    shutil.rmtree(here)
    here.mkdir()
    (root / ".git").mkdir(exist_ok=True)
    (here / "a.py").write_text("def two(): ...\n")
    until_known(index, "two")
    (here / "a.py").write_text("def three(): ...\n")
    until_known(index, "three")
    (here / "b.py").write_text("def four(): ...\n")
    until_known(index, "four", "three")


def test_a_project_that_is_replaced_by_another_is_read_anew(root: Path, make: Make, tmp_path: Path):
    (root / "a.py").write_text("def one(): ...\n")
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    (other / "a.py").write_text("def two(): ...\n")
    index = read(make(), root)
    root.rename(tmp_path / "away")
    other.rename(root)
    until_known(index, "two")
    (root / "a.py").write_text("def three(): ...\n")
    until_known(index, "three")


def test_two_indexers_share_an_index_and_the_other_goes_on_when_one_ends(root: Path, make: Make):
    (root / "a.py").write_text("def a(): ...\n")
    one, two = make(), make()
    index = read(one, root)
    other = known(two, root)
    until(lambda: other.state == "shared", lambda: other)
    assert names(other.index) == names(index) == ["a"]
    one.close()
    until(lambda: other.state == "read", lambda: other)
    (root / "a.py").write_text("def b(): ...\n")
    until_known(other.index, "b")


def test_an_index_that_is_forgotten_meanwhile_is_made_anew(root: Path, make: Make):
    (root / "a.py").write_text("def a(): ...\n")
    indexer = make()
    index = read(indexer, root)
    assert index.place.forget()
    until_known(index, "a")
    assert "problems" not in indexer.status()


def test_an_index_that_is_emptied_meanwhile_is_made_anew(root: Path, make: Make):
    (root / "a.py").write_text("def a(): ...\n")
    indexer = make()
    index = read(indexer, root)
    os.truncate(index.place.database, 0)
    until_known(index, "a")
    (root / "b.py").write_text("def b(): ...\n")
    until_known(index, "a", "b")
    assert "problems" not in indexer.status()


def test_only_a_few_projects_are_known_and_those_that_are_left_are_not_being_read(
    make: Make, root: Path, tmp_path: Path
):
    indexer = make()
    first = known(indexer, root)
    for number in range(8):
        other = tmp_path / str(number)
        (other / ".git").mkdir(parents=True)
        known(indexer, other)
    assert len(indexer.status()["projects"]) == 8
    until(lambda: not first.is_growing(), lambda: first)
    (root / "a.py").write_text("def a(): ...\n")
    assert names(read(indexer, root)) == ["a"]


def encoded(tmp_path: Path, root: Path) -> DiskChunks:
    """Chunks of the project on disk, one of which is `ours`."""
    rows = QuantisedRows(*(torch.zeros((1, 1, 2, 4)) for _ in range(5)))
    chunks = DiskChunks(tmp_path / "cache" / CHUNKS / "model.sqlite3", most_bytes=2**20)
    chunks.store(b"ours", rows, str(root))
    return chunks


def test_what_a_project_or_its_user_keeps_from_us_is_not_read_and_is_forgotten(
    root: Path, make: Make, tmp_path: Path
):
    (root / "a.py").write_text("def a(): ...\n")
    first = make()
    index = read(first, root)
    first.close()
    chunks = encoded(tmp_path, root)
    (root / "keyturn.toml").write_text("[completion]\nproject = false\n")
    indexer = make()
    assert indexer.around(root / "a.py") is None
    until(lambda: not index.place.folder.exists(), indexer.status)
    until(lambda: chunks.restore(b"ours") is None, indexer.status)
    chunks.close()
    until(lambda: "not read" in str(indexer.status()["projects"]), indexer.status)
    assert indexer.around(root / "a.py") is None
    assert not index.place.folder.exists()


@pytest.mark.parametrize("file", ["config/config.toml", "project/keyturn.toml"])
def test_a_project_that_its_user_switches_off_is_forgotten_and_comes_back_when_switched_on(
    root: Path, make: Make, tmp_path: Path, file: str
):
    (root / "a.py").write_text("def a(): ...\n")
    indexer = make()
    index = read(indexer, root)
    chunks, followed = encoded(tmp_path, root), known(indexer, root)
    settings = tmp_path / file
    settings.parent.mkdir(exist_ok=True)
    settings.write_text("[completion]\nproject = false\n")
    if file.startswith("project"):  # which the process watches itself
        until(lambda: followed.state == "off", indexer.status)
    until(lambda: indexer.around(root / "a.py") is None, indexer.status)
    until(lambda: not index.place.folder.exists(), indexer.status)
    until(lambda: chunks.restore(b"ours") is None, indexer.status)
    chunks.close()
    settings.unlink()
    assert names(read(indexer, root)) == ["a"]
    settings.write_text("[completion]\ndisabled_globs = ['a.*']\n")
    until(lambda: indexer.around(root / "b.py") and not names(index), lambda: names(index))


def test_what_an_editor_keeps_from_us_is_not_read_and_leaves_the_index_when_it_says_so(
    root: Path, make: Make
):
    (root / "a.py").write_text("def fine(): ...\n")
    (root / "b.gen.py").write_text("def hidden_at_first(): ...\n")
    (root / "private").mkdir()
    (root / "private" / "c.py").write_text("def hidden_later(): ...\n")
    indexer = make()
    globs = ("*.gen.py",)
    until(lambda: indexer.around(root / "a.py", globs), indexer.status)
    found = indexer.around(root / "a.py", globs)
    assert found is not None
    index = found.index
    until_known(index, "fine", "hidden_later")
    assert b"hidden_at_first" not in everything_in(index.place)
    (root / "b.gen.py").write_text("def hidden_at_first(): pass\n")
    (root / "d.py").write_text("def more(): ...\n")
    until_known(index, "fine", "hidden_later", "more")
    assert indexer.around(root / "a.py", (*globs, "*/private/*")) is found
    until_known(index, "fine", "more")
    until(lambda: b"hidden" not in everything_in(index.place), indexer.status)
    indexer.around(root / "a.py", ())  # nobody keeps anything any more
    until_known(index, "fine", "hidden_at_first", "hidden_later", "more")


def test_globs_of_any_number_and_length_reach_the_indexer_and_the_next_one(root: Path, make: Make):
    (root / "a.py").write_text("def fine(): ...\n")
    (root / "b.gen.py").write_text("def hidden(): ...\n")
    indexer = make()
    globs = (*(f"{number:0>300}" for number in range(1_000)), "*.gen.py")  # more than a pipe holds
    found = until(lambda: indexer.around(root / "a.py", globs), indexer.status)
    assert found is not None
    until(lambda: found.state == "read", indexer.status)
    assert names(found.index) == ["fine"]
    os.kill(pid := pid_of(indexer), signal.SIGKILL)
    until(lambda: pid_of(indexer) != pid, indexer.status)
    (root / "c.py").write_text("def more(): ...\n")
    until_known(found.index, "fine", "more")


def test_an_index_is_forgotten_when_no_editor_lets_the_project_be_read(root: Path, make: Make):
    (root / "a.py").write_text("def a(): ...\n")
    indexer = make()
    index = read(indexer, root)
    assert indexer.around(root / "a.py", None) is None
    until(lambda: not index.place.folder.exists(), indexer.status)
    assert "not read" in str(indexer.status()["projects"])
    assert names(read(indexer, root)) == ["a"]


def test_for_a_project_that_no_editor_lets_be_read_no_process_is_started(root: Path, make: Make):
    indexer = make()
    assert indexer.around(root / "a.py", None) is None
    for thread in threading.enumerate():
        if thread.name == "project settings":
            thread.join()
    assert "indexer" not in indexer.status()
    assert not Place.of(root, indexer.cache).folder.exists()


def test_what_happens_in_a_folder_that_is_ignored_below_another_one_is_all_the_same(
    root: Path, make: Make
):
    (root / "app" / "build" / "old").mkdir(parents=True)
    (root / ".gitignore").write_text("build/\n")
    (root / "app" / "a.py").write_text("def a(): ...\n")
    index = read(make(), root)
    until_known(index, "a")
    scanned = index.status().facts["read_at"]
    (root / "app" / "build" / "new").mkdir()
    (root / "app" / "build" / "old").rename(root / "app" / "build" / "older")
    for name in ("b", "c"):
        (root / "app" / f"{name}.py").write_text(f"def {name}(): ...\n")
        until(lambda name=name: name in names(index), lambda: names(index))
    assert index.status().facts["read_at"] == scanned  # only the files were looked at


def test_settings_that_cannot_be_read_keep_a_project_from_being_read(root: Path, make: Make):
    (root / "a.py").write_text("def a(): ...\n")
    (root / "keyturn.toml").write_text("[completion")
    indexer = make()
    assert indexer.around(root / "a.py") is None
    until(lambda: indexer.status().get("indexer"), indexer.status)
    assert indexer.around(root / "a.py") is None
    assert not Place.of(root, indexer.cache).folder.exists()


def test_the_index_of_a_project_that_nobody_has_opened_for_long_is_removed(
    root: Path, make: Make, tmp_path: Path
):
    (root / "a.py").write_text("def a(): ...\n")
    first = make()
    old = read(first, root).place
    first.close()
    for path in old.folder.iterdir():
        os.utime(path, (0, 0))
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    fresh = read(make(), other).place
    assert [place.folder for place in Place.all(tmp_path / "cache")] == [fresh.folder]


def test_the_process_is_modest_and_ends_with_its_daemon(root: Path, make: Make):
    indexer = make()
    read(indexer, root)
    process = psutil.Process(pid_of(indexer))
    assert process.nice() == 19
    if hasattr(os, "SCHED_IDLE"):
        assert os.sched_getscheduler(process.pid) == os.SCHED_IDLE
    indexer.close()
    until(lambda: not process.is_running() or process.status() == "zombie", "the end of it")


def test_a_project_of_thousands_of_tiny_files_is_read(root: Path, make: Make):
    _tiny_files(root, 2_000)
    assert read(make(), root).status().files == 2_000


@pytest.mark.slow
def test_of_a_hundred_thousand_files_the_nearest_are_read(root: Path, make: Make):
    _tiny_files(root, 100_000)
    indexer = make()
    found = known(indexer, root, "50/50.py")
    until(lambda: found.state == "read", lambda: indexer.status(), seconds=900)
    assert found.index.status().files == 20_000
    assert found.index.status().facts["left_out"] == 80_000
    assert found.index.has("50/99.py")


def _tiny_files(root: Path, count: int) -> None:
    for number in range(count):
        if not number % 1_000:
            (root / str(number // 1_000)).mkdir()
        (root / str(number // 1_000) / f"{number % 1_000}.py").write_text("x = 1\n")
