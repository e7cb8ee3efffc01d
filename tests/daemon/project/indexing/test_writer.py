"""Which indexes are made anew, and which are left as they are."""

import os
import sqlite3
from pathlib import Path

import pytest

from keyturn.daemon.project.indexing import writer as module
from keyturn.daemon.project.indexing.writer import IndexWriter, Stamp
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path / "index")
    writer = IndexWriter(place)
    writer.put(outline("a.py", "python", "def a(): ..."), Stamp(1, 2, 3))
    writer.commit()
    writer.close()
    return place


def files(place: Place) -> list[str]:
    writer = IndexWriter(place)
    found = list(writer.stamps())
    writer.close()
    return found


def test_an_index_that_another_process_has_locked_is_left_as_it_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.01)
    other = sqlite3.connect(place.database, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        IndexWriter(place)
    other.close()
    assert files(place) == ["a.py"]


def test_an_index_that_cannot_be_opened_is_left_as_it_is(place: Place):
    journal = Path(f"{place.database}-wal")
    journal.mkdir()  # what stands in the way, for root as well
    with pytest.raises((sqlite3.OperationalError, OSError)):
        IndexWriter(place)
    journal.rmdir()
    assert files(place) == ["a.py"]


@pytest.mark.parametrize(
    "command", ["PRAGMA user_version = 99", "DROP TABLE files", "DROP TABLE about"]
)
def test_an_index_of_another_version_or_with_other_tables_is_made_anew(place: Place, command: str):
    connection = sqlite3.connect(place.database)
    connection.execute(command)
    connection.commit()
    connection.close()
    assert files(place) == []


def test_an_index_that_was_emptied_is_made_anew(place: Place):
    writer = IndexWriter(place)
    os.truncate(place.database, 0)
    assert not writer.is_there()
    writer.close()
    os.truncate(place.database, 0)
    assert files(place) == []


@pytest.mark.parametrize("data", [b"no database at all" * 100, b"SQLite format 3\0" + b"x" * 9_000])
def test_an_index_that_is_no_database_is_made_anew(place: Place, data: bytes):
    place.database.write_bytes(data)
    assert files(place) == []
