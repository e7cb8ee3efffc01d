"""The index: what is written can be read, whatever happens to its files."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keyturn.daemon.project.index import ProjectIndex
from keyturn.daemon.project.indexing.writer import IndexGone, IndexWriter, Stamp
from keyturn.daemon.project.outline import Outline
from keyturn.daemon.project.passages import LINES, SHOWN
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline

STAMP = Stamp(1, 2, 3)
PLAN = '''\
from .segment import Segment as Piece

LONGEST = 3  # pieces


class EditPlan(Piece):
    """What to keep of a cache."""

    kept: int = 0

    def carry_keys(self, segment: Segment) -> int:
        return rotate_segment(segment)


def plan_edit(old, new): ...
'''
SEGMENT = '''\
class Segment:
    """Keys at their offsets."""


def rotate_segment(segment: Segment) -> int: ...
'''


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.of(tmp_path / "project", tmp_path / "cache")


@pytest.fixture
def open_index(place: Place) -> Iterator[Callable[[], ProjectIndex]]:
    """More patient than it is beside an editor: the machine may be busy."""
    opened: list[ProjectIndex] = []

    def make() -> ProjectIndex:
        opened.append(ProjectIndex(place, most_seconds=10))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def write(place: Place, **texts: str) -> None:
    writer = IndexWriter(place)
    for name, text in texts.items():
        writer.put(outline(f"cache/{name}.py", "python", text), STAMP)
    writer.commit()
    writer.close()


def names(index: ProjectIndex, *wanted: str) -> list[str]:
    return [each.name for each in index.named(wanted, ["python"])]


def test_what_is_put_is_found_by_name_by_file_and_by_its_words(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    write(place, plan=PLAN, segment=SEGMENT)
    index = open_index()
    original = outline("cache/plan.py", "python", PLAN, uses=False)
    assert index.imports_of("cache/plan.py") == ("python", original.imports)
    for container in {each.container for each in original.definitions}:
        assert index.members("cache/plan.py", container) == [
            each for each in original.definitions if each.container == container
        ]
    assert [d.name for d in index.inside("cache/plan.py", ["kept", "LONGEST"])] == [
        "LONGEST", "kept",
    ]  # fmt: skip
    assert [d.path for d in index.named(["Segment"], ["python"])] == ["cache/segment.py"]
    assert index.named(["Segment"], ["go"]) == index.named(["Segment"], []) == []
    assert index.status().files == 2


def test_excerpts_are_alike_that_share_the_rare_names(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    fillers = "".join(f"def other_{number}(segment):\n    ...\n\n\n\n" for number in range(400))
    write(place, plan=PLAN, segment=SEGMENT, fillers=fillers)
    index = open_index()
    found = index.alike(["rotate_segment", "segment"], ["python"], 9)
    assert {each.path for each in found} == {"cache/plan.py", "cache/segment.py"}
    for each in found:
        text = {"cache/plan.py": PLAN, "cache/segment.py": SEGMENT}[each.path]
        lines = text.split("\n")[each.line : each.line + SHOWN * LINES]
        assert each.text == "\n".join(lines)
        assert "rotate_segment" in each.names
        assert "def" not in each.names
    there = index.alike(["rotate_segment"], ["python"], 9, but="cache/segment.py")
    assert {each.path for each in there} == {"cache/plan.py"}
    assert index.alike(['"', "NOT", "*", "nowhere"], ["python"], 9) == []
    assert index.alike(["rotate_segment"], ["go"], 9) == []


def test_excerpts_with_what_is_called_come_first(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    texts = {
        f"use_{n}": f"alpha = 1\nbeta = 2\n{'rotate(alpha)' if n == 7 else ''}" for n in range(9)
    }
    write(place, **texts)
    first, *_ = open_index().alike(["alpha", "beta"], ["python"], 3, calling="rotate")
    assert first.path == "cache/use_7.py"


def test_files_are_found_by_path_by_the_end_of_it_and_by_folder(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    write(place, plan=PLAN, segment=SEGMENT)
    index = open_index()
    assert index.has("cache/plan.py")
    assert not index.has("plan.py")
    assert index.ending("plan.py") == index.ending("cache/plan.py") == ["cache/plan.py"]
    assert index.ending("e/plan.py") == []
    both = ["cache/plan.py", "cache/segment.py"]
    assert index.within("cache") == index.files() == index.files("cache") == both
    assert index.within("") == index.files("cach") == []


def test_what_a_file_had_before_is_forgotten(place: Place, open_index: Callable[[], ProjectIndex]):
    write(place, plan=PLAN, segment=SEGMENT)
    index = open_index()
    write(place, plan="class Other: ...\n")
    assert names(index, "EditPlan", "Other", "Segment") == ["Other", "Segment"]
    assert index.alike(["plan_edit", "carry_keys"], ["python"], 9) == []
    writer = IndexWriter(place)
    writer.remove("cache/plan.py")
    writer.commit()
    assert set(writer.stamps()) == {"cache/segment.py"}
    writer.close()
    assert names(index, "Other") == []
    with sqlite3.connect(place.database) as connection:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    connection.close()


def test_the_files_are_closed_to_others(place: Place, open_index: Callable[[], ProjectIndex]):
    old = os.umask(0)
    try:
        write(place, plan=PLAN)
        writer = IndexWriter(place)
        index = open_index()
        assert names(index, "EditPlan")
        files = [path for path in place.folder.parent.rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {"index.sqlite3", "index.sqlite3-wal"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE(place.folder.parent.stat().st_mode) == 0o700
        writer.close()
    finally:
        os.umask(old)


@pytest.mark.parametrize("damage", ["nothing", "text", "zeros", "cut", "version", "folder"])
def test_a_broken_index_has_nothing_in_it_and_is_made_anew(
    place: Place, open_index: Callable[[], ProjectIndex], damage: str
):
    write(place, plan=PLAN)
    data = place.database.read_bytes()
    match damage:
        case "nothing":
            place.forget()
        case "text":
            place.database.write_text("no database " * 1_000)
        case "zeros":
            place.database.write_bytes(bytes(len(data)))
        case "cut":
            place.database.write_bytes(data[: len(data) // 2])
        case "version":
            with sqlite3.connect(place.database) as connection:
                connection.execute("PRAGMA user_version = 99")
            connection.close()
        case "folder":
            place.database.unlink()
            place.database.mkdir()
    index = open_index()
    found = index.named(["EditPlan"], ["python"])
    assert found in ([], index.inside("cache/plan.py", ["EditPlan"]))
    assert index.alike(["EditPlan"], ["python"], 3) == [] or damage == "cut"
    assert index.status().bytes >= 0
    rebuild(place)
    assert names(index, "EditPlan") == ["EditPlan"]


def rebuild(place: Place) -> None:
    """As the indexer does: what shows to be broken only later is made anew as well."""
    for _ in range(2):
        try:
            write(place, plan=PLAN)
        except (sqlite3.DatabaseError, OSError):
            place.forget()


def test_readers_and_the_writer_notice_that_the_index_was_removed(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    write(place, plan=PLAN)
    index = open_index()
    assert names(index, "EditPlan")
    writer = IndexWriter(place)
    writer.put(outline("a.py", "python", "a = 1"), STAMP)
    assert place.forget()
    assert not place.folder.exists()
    assert names(index, "EditPlan") == []
    with pytest.raises(IndexGone):
        writer.commit()
    write(place, segment=SEGMENT)
    writer.close()  # of the old one: it takes nothing of the new one with it
    assert names(index, "Segment", "EditPlan") == ["Segment"]
    assert not place.forget() or not place.forget()


def test_a_writer_that_is_killed_leaves_a_sound_index(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    write(place, plan=PLAN)
    code = f"""
import os, sys
from pathlib import Path
from keyturn.daemon.project.passages import LINES, SHOWN
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.indexing.writer import IndexWriter, Stamp
writer = IndexWriter(Place(Path({str(place.folder)!r})))
for number in range(300):
    writer.put(outline(f"{{number}}.py", "python", "def found(): ...\\n" * 20), Stamp(1, 2, 3))
    if number == 100:
        writer.commit()
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    index = open_index()
    assert index.status().files == 102
    assert names(index, "EditPlan") == ["EditPlan"]
    write(place, segment=SEGMENT)
    with sqlite3.connect(place.database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    assert index.status().files == 103


def test_a_writer_in_the_middle_of_a_transaction_keeps_nobody_from_reading(
    place: Place, open_index: Callable[[], ProjectIndex]
):
    write(place, plan=PLAN)
    writer = IndexWriter(place)
    writer.put(Outline("a.py", "python"), STAMP)
    index = open_index()
    assert names(index, "EditPlan") == ["EditPlan"]
    assert not index.has("a.py")
    writer.commit()
    assert index.has("a.py")
    writer.close()


def test_an_index_knows_that_something_may_be_left_of_what_was_replaced(place: Place):
    secret = "zqx_topsecret_9931"
    write(place, plan=PLAN, key=f"import os\nkey = {secret}\n")
    writer = IndexWriter(place)
    assert writer.is_settled
    writer.put(outline("cache/key.py", "python", "import os\n"), STAMP)
    writer.commit()
    writer.close()
    again = IndexWriter(place)  # the next process
    assert not again.is_settled
    reader = sqlite3.connect(place.database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM files").fetchone()
    for _ in again.settle():
        pass
    assert not again.is_settled  # the journal could not be emptied
    reader.execute("COMMIT")
    reader.close()
    for _ in again.settle():
        pass
    assert again.is_settled
    again.close()
    for file in place.folder.iterdir():
        assert secret.encode() not in file.read_bytes()
