"""The benchmark of typing while a project is indexed, on a tiny model and a small project."""

from pathlib import Path

from support.daemon.model_engines import tiny_loaded

from .typing_while_indexing import RUNNING, STOPPED, measure


def test_keys_are_timed_with_the_indexer_and_without(tmp_path: Path) -> None:
    found = measure(tiny_loaded(), tmp_path, files=40, rounds=2)
    for keys in ("first_key", "later_keys"):
        assert found[keys][STOPPED] > 0
        assert found[keys][RUNNING] > 0
