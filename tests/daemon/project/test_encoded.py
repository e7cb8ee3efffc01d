"""What was encoded of projects is forgotten by the project's root, or altogether."""

from pathlib import Path

import pytest
import torch

from keyturn.cache.chunks.spill import DiskChunks
from keyturn.cache.quantised import QuantisedRows
from keyturn.daemon.project.encoded import forget_encoded


@pytest.fixture
def models(tmp_path: Path) -> list[DiskChunks]:
    rows = QuantisedRows(*(torch.zeros((1, 1, 2, 4)) for _ in range(5)))
    found = [DiskChunks(tmp_path / "chunks" / f"{name}.sqlite3", 2**20) for name in "ab"]
    for each in found:
        each.store(b"ours", rows, "/ours")
        each.store(b"theirs", rows, "/theirs")
    return found


def test_of_one_project_or_of_all(tmp_path: Path, models: list[DiskChunks]):
    assert [count for _, count in forget_encoded(tmp_path, Path("/ours"))] == [1, 1]
    assert all(each.restore(b"ours") is None for each in models)
    assert all(each.restore(b"theirs") is not None for each in models)
    assert list(forget_encoded(tmp_path, Path("/ours"))) == []
    assert [path for path, _ in forget_encoded(tmp_path, None)] == [each.path for each in models]
    assert all(each.restore(b"theirs") is None for each in models)


def test_where_nothing_was_kept_there_is_nothing_to_forget(tmp_path: Path):
    assert list(forget_encoded(tmp_path, None)) == []
    assert list(forget_encoded(tmp_path, Path("/half\udcff"))) == []


def test_a_project_whose_path_is_no_utf_8_is_one_like_others(
    tmp_path: Path, models: list[DiskChunks]
):
    rows = QuantisedRows(*(torch.zeros((1, 1, 2, 4)) for _ in range(5)))
    models[0].store(b"odd", rows, "/half\udcff")
    assert list(forget_encoded(tmp_path, Path("/half\udcff"))) == [(models[0].path, 1)]
    assert models[0].restore(b"odd") is None
