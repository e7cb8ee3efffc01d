"""A model goes over in pieces, and only whole."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.models.errors import ModelError
from keyturn.models.hub import split as split_module
from keyturn.models.hub.download import present
from keyturn.models.hub.progress import Progress
from keyturn.models.hub.registry import MODELS
from keyturn.models.hub.split import join, split

SILENT = Progress(None)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(range(256)) * 40 + b"end")
    return path


@given(size=st.integers(0, 5000), most=st.integers(100, 6000))
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_pieces_are_small_and_make_the_file_again(tmp_path: Path, size: int, most: int) -> None:
    path, folder = tmp_path / "any.bin", tmp_path / f"{size}-{most}"
    path.write_bytes(bytes(n % 251 for n in range(size)))
    *pieces, _ = split(path, folder, most, SILENT)
    assert all(piece.stat().st_size <= most for piece in pieces)
    joined = join(folder, tmp_path / "cache", SILENT)
    assert joined.path == folder / "any.bin"
    assert joined.path.read_bytes() == path.read_bytes()
    assert joined.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_model_known_by_name_is_there_after_joining(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    known = replace(MODELS[0], sha256=digest)
    monkeypatch.setattr(split_module, "MODELS", (known,))
    split(source, tmp_path / "pieces", 1000, SILENT)
    cache = tmp_path / "cache"
    assert present(known, cache) is None
    assert join(tmp_path / "pieces", cache, SILENT).name == known.name
    assert present(known, cache) is not None


def test_a_damaged_or_missing_piece_is_said_and_nothing_is_left(
    source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pieces"
    first, second, *_ = split(source, folder, 4000, SILENT)
    whole = first.read_bytes()
    first.write_bytes(b"x" + whole[1:])
    with pytest.raises(ModelError, match="one is damaged"):
        join(folder, tmp_path, SILENT)
    first.write_bytes(whole)
    second.unlink()
    with pytest.raises(ModelError, match=r"lacks model\.gguf\.part-02-of-03"):
        join(folder, tmp_path, SILENT)
    assert not list(folder.glob("*.joining"))
    assert not (folder / "model.gguf").exists()


@pytest.mark.parametrize(
    "facts",
    [
        "no json",
        "[]",
        json.dumps({"file": "../up", "bytes": 1, "sha256": "0" * 64, "pieces": []}),
        json.dumps({"file": "a", "bytes": 1, "sha256": "0" * 64, "pieces": ["/etc/passwd"]}),
        json.dumps({"file": "a", "bytes": 1, "sha256": "short", "pieces": []}),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(tmp_path: Path, facts: str) -> None:
    (tmp_path / "a.parcels.json").write_text(facts)
    with pytest.raises(ModelError, match="is not what"):
        join(tmp_path, tmp_path, SILENT)


def test_a_folder_without_pieces_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has 0 files"):
        join(tmp_path, tmp_path, SILENT)
