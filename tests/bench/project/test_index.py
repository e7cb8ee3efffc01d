"""The benchmark of indexing, on a small project."""

from pathlib import Path

from .index import generate, measure


def test_everything_is_measured(tmp_path: Path) -> None:
    found = measure(tmp_path, 60, 0.2)
    assert found["definitions"] > 300
    assert found["question_ms"].keys() >= {"named_30", "members", "imports_of", "alike"}
    assert all(found[key] > 0 for key in ("first_file_s", "whole_s", "rss_mb", "disk_mb"))


def test_the_project_is_always_the_same(tmp_path: Path) -> None:
    assert generate(tmp_path / "one", 10) == generate(tmp_path / "two", 10)
