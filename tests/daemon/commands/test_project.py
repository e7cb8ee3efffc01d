"""`keyturn project`, and what `keyturn doctor` says of it."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result

from keyturn.cache.chunks.spill import DiskChunks
from keyturn.cache.quantised import QuantisedRows
from keyturn.daemon.commands._status import lines
from keyturn.daemon.commands.project import command
from keyturn.daemon.project.indexing.writer import IndexWriter, Stamp
from keyturn.daemon.project.place import Place
from keyturn.daemon.project.reading.reader import outline
from keyturn.daemon.project.summary import Summary
from keyturn.lsp.options import Options


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEYTURN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KEYTURN_CONFIG_DIR", str(tmp_path / "config"))
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    return root


def project(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def index(root: Path, tmp_path: Path) -> Place:
    place = Place.of(root, tmp_path / "cache")
    writer = IndexWriter(place)
    writer.put(outline("a.py", "python", "def a(): ..."), Stamp(1, 2, 3))
    writer.note(root=str(root), read_at=1.0, left_out=7)
    writer.commit()
    writer.close()
    return place


def test_the_status_says_what_was_read_where_it_is_and_what_is_left_out(root: Path, tmp_path: Path):
    place = index(root, tmp_path)
    (root / "sub").mkdir()
    (root / "a.py").touch()
    for path in (root, root / "sub", root / "a.py"):
        shown = project("status", str(path))
        assert shown.exit_code == 0
        assert f"project    {root}" in shown.stdout
        assert "1 files, 1 definitions" in shown.stdout
        assert str(place.folder) in shown.stdout
        assert "7 files that are farthest" in shown.stdout
    found = json.loads(project("status", "--json", str(root)).stdout)
    assert (found["files"], found["definitions"], found["is_read"]) == (1, 1, True)
    assert found["bytes"] == place.bytes()
    assert any("git" in reason for reason in found["left_out"])


def test_a_project_that_is_not_read_is_said_to_be(root: Path):
    assert "none yet" in project("status", str(root)).stdout
    (root / "keyturn.toml").write_text("[completion]\nproject = false\n")
    said = project("status", str(root)).stdout
    assert "nothing of the project is read" in said
    assert "index      none\n" in said
    assert json.loads(project("status", "--json", str(root)).stdout)["is_read"] is False


def test_without_a_project_there_is_no_status(tmp_path: Path):
    assert project("status", str(tmp_path)).exit_code == 1
    assert "in no project" in project("status", str(tmp_path)).stderr
    assert json.loads(project("status", "--json", str(tmp_path)).stdout) == {"project": None}
    assert project("forget", str(tmp_path)).exit_code == 1


def test_a_path_that_does_not_exist_is_said_not_to(root: Path, tmp_path: Path):
    for path in (tmp_path / "nowhere", root / "nowhere.py"):
        said = project("status", str(path))
        assert said.exit_code == 1
        assert f"{path} does not exist; give a folder of a git repository" in said.stderr
        assert "keyturn.toml" in said.stderr


def test_without_room_for_the_project_nothing_is_promised(root: Path, tmp_path: Path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text("[model]\nproject_tokens = 0\n")
    said = project("status", str(root)).stdout
    assert "nothing of it is shown to the model" in said
    assert "index      none\n" in said
    assert json.loads(project("status", "--json", str(root)).stdout)["is_read"] is False
    brief = Summary.of(root, tmp_path / "cache", Options(), 0).brief
    assert "nothing of it is shown to the model" in brief
    index(root, tmp_path)
    assert "`keyturn project forget` removes it" in project("status", str(root)).stdout


def test_status_and_doctor_say_the_same_of_an_index_that_is_not_there_yet(
    root: Path, tmp_path: Path
):
    found = Summary.of(root, tmp_path / "cache", Options(), 768)
    assert f"index      {found.no_index}" in project("status", str(root)).stdout
    assert found.no_index in found.brief


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "read       just now\n"),
        (130, "read       2 min ago, "),
        (7260, "read       2 h 1 min ago, "),
        (200_000, "read       2 days ago, "),
    ],
)
def test_when_it_was_read_is_said_as_people_do(root: Path, tmp_path: Path, seconds: int, said: str):
    place = index(root, tmp_path)
    writer = IndexWriter(place)
    writer.note(root=str(root), read_at=time.time() - seconds)
    writer.commit()
    writer.close()
    assert said in project("status", str(root)).stdout


def test_an_index_is_forgotten_by_its_project_or_with_all_others(root: Path, tmp_path: Path):
    other = tmp_path / "other"
    (other / ".git").mkdir(parents=True)
    first, second = index(root, tmp_path), index(other, tmp_path)
    assert str(first.folder) in project("forget", str(root)).stdout
    assert not first.folder.exists()
    assert second.bytes()
    assert project("forget", str(root)).stdout == "there was no index\n"
    index(root, tmp_path)
    assert project("forget", "--all").stdout.count("removed") == 2
    assert not [path for path in first.folder.parent.iterdir() if path.is_dir()]
    assert project("forget", "--all", str(root)).exit_code == 2


def test_a_broken_index_is_said_to_be_broken_and_what_was_computed_is_forgotten_with_it(
    root: Path, tmp_path: Path
):
    place = index(root, tmp_path)
    place.database.write_bytes(b"broken" * 1_000)
    rows = QuantisedRows(*(torch.zeros((1, 1, 2, 4)) for _ in range(5)))
    chunks = DiskChunks(tmp_path / "cache" / "chunks" / "model.sqlite3", most_bytes=2**20)
    chunks.store(b"ours", rows, str(root))
    assert "broken" in project("status", str(root)).stdout
    shown = project("forget", str(root)).stdout
    assert "cannot be read" in shown
    assert "removed 1 chunks" in shown
    chunks.store(b"ours", rows, str(root))
    chunks.store(b"another's", rows, str(tmp_path))
    shown = project("forget", str(root)).stdout  # there is no index any more
    assert "there was no index" in shown
    assert "removed 1 chunks" in shown
    assert "removed 1 chunks" in project("forget", "--all").stdout
    assert chunks.restore(b"another's") is None
    chunks.close()


def test_what_was_computed_from_a_project_is_forgotten_with_it(root: Path, tmp_path: Path):
    index(root, tmp_path)
    rows = QuantisedRows(*(torch.zeros((1, 1, 2, 4)) for _ in range(5)))
    chunks = DiskChunks(tmp_path / "cache" / "chunks" / "model.sqlite3", most_bytes=2**20)
    chunks.store(b"ours", rows, str(root))
    chunks.store(b"another's", rows, str(tmp_path))
    assert "removed 1 chunks" in project("forget", str(root)).stdout
    assert chunks.restore(b"ours") is None
    assert chunks.restore(b"another's") is not None
    chunks.close()


def test_the_brief_word_says_where_the_index_is_and_whether_the_project_is_read(
    root: Path, tmp_path: Path
):
    place = index(root, tmp_path)
    cache = tmp_path / "cache"
    assert str(place.folder) in Summary.of(root, cache, Options(), 768).brief
    assert "not read" in Summary.of(root, cache, Options(project=False), 768).brief


def said_of(engine: dict[str, Any]) -> list[str]:
    nothing = {"uptime_s": 0, "rss_bytes": 0, "clients": [], "requests": {}, "latency_ms": {}}
    names = {"version": "1", "pid": 2, "model": "m", "phase": "ready", "protocol_errors": 0}
    counts = {"acceptance": None, "held_back": 0}
    return list(lines({**nothing, **names, **counts, "engine": engine}))


def test_the_status_of_the_daemon_says_in_words_what_it_knows_of_projects():
    project = {
        "projects": {"/a": "read, 3 files, 2 definitions", "/b": "reading, 0 files, 0 definitions"},
        "problems": ["/b/.gitignore: too large"],
        "indexer": "process 7",
        "chunks": 3,
        "chunk_bytes": 1_714_752,
        "chunks_encoded": 3,
    }
    shown = said_of({"model": "m", "project": project})
    at = shown.index("project    /a: read, 3 files, 2 definitions")
    assert shown[at + 1 : at + 5] == [
        "project    /b: reading, 0 files, 0 definitions",
        "problem    /b/.gitignore: too large",
        "chunks     3 in memory (1.7 MB), 3 encoded",
        "indexer    process 7",
    ]
    assert [line for line in shown if line.startswith("model")] == ["model      m, ready"]
    assert not [line for line in shown if "{" in line]


def test_the_status_of_the_daemon_says_nothing_of_projects_where_none_was_looked_at():
    shown = said_of({"project": {"chunks": 0, "chunk_bytes": 0, "chunks_encoded": 0}})
    assert not [line for line in shown if line.startswith(("project", "chunks", "indexer"))]
