"""Chunks that were encoded once are found again: in memory, and on disk after a restart."""

import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from keyturn.cache.chunks.spill import DiskChunks
from keyturn.cache.chunks.store import ChunkStore
from keyturn.cache.quantised import QuantisedRows

SINK = [7]


def rows(seed: int, tokens: int = 4) -> QuantisedRows:
    draw = torch.Generator().manual_seed(seed)

    def integers(*shape: int) -> torch.Tensor:
        return torch.randint(-127, 128, shape, generator=draw, dtype=torch.int8)

    keys, values = integers(2, 1, tokens, 8), integers(2, 1, tokens, 8)
    return QuantisedRows(
        keys,
        torch.randn(2, 1, 1, 8, generator=draw),
        torch.rand(2, 1, 1, 8, generator=draw),
        values,
        torch.rand(2, 1, tokens, 1, generator=draw),
    )


def tokens(seed: int) -> list[int]:
    return [seed, seed + 1, seed + 2, seed + 3]


def same(one: QuantisedRows | None, other: QuantisedRows) -> bool:
    return (
        one is not None
        and torch.equal(one.keys, other.keys)
        and torch.equal(one.key_means, other.key_means)
        and torch.equal(one.key_scales, other.key_scales)
        and torch.equal(one.values, other.values)
        and torch.equal(one.value_scales, other.value_scales)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chunks" / "model.sqlite3"


def test_what_nobody_shows_any_more_is_forgotten() -> None:
    store = ChunkStore(10**6)
    for seed in (1, 2):
        store.put(SINK, tokens(seed), rows(seed))
    store.keep_only([(SINK, tokens(2)), (SINK, tokens(3))])
    assert store.get(SINK, tokens(1)) is None
    assert store.get(SINK, tokens(2)) is not None
    assert store.used_bytes == rows(2).nbytes
    store.keep_only([])
    assert (len(store), store.used_bytes) == (0, 0)


def test_a_chunk_is_found_by_its_tokens_and_its_sink() -> None:
    store = ChunkStore(10**6)
    store.put(SINK, tokens(1), rows(1))
    assert store.get(SINK, tokens(1)) is not None
    assert store.get([8], tokens(1)) is None
    assert store.get(SINK, tokens(2)) is None
    assert store.get([*SINK, 1], tokens(1)[1:]) is None  # the same tokens, cut elsewhere


def test_the_chunk_used_longest_ago_gives_way() -> None:
    size = rows(1).nbytes
    store = ChunkStore(2 * size)
    for number in (1, 2):
        store.put(SINK, tokens(number * 10), rows(number))
    assert store.get(SINK, tokens(10)) is not None
    store.put(SINK, tokens(30), rows(3))
    assert store.get(SINK, tokens(20)) is None
    assert store.get(SINK, tokens(10)) is not None
    assert (len(store), store.used_bytes) == (2, 2 * size)


def test_a_chunk_that_is_put_twice_counts_once() -> None:
    store = ChunkStore(10**6)
    for _ in range(3):
        store.put(SINK, tokens(1), rows(1))
    assert (len(store), store.used_bytes) == (1, rows(1).nbytes)


def test_what_gave_way_and_what_an_earlier_process_made_is_found_on_disk(path: Path) -> None:
    kept = rows(1)
    store = ChunkStore(rows(1).nbytes, DiskChunks(path, 10**6))
    store.put(SINK, tokens(1), kept)
    store.put(SINK, tokens(2), rows(2))
    assert len(store) == 1
    assert same(store.get(SINK, tokens(1)), kept)
    later = ChunkStore(10**6, DiskChunks(path, 10**6))
    assert same(later.get(SINK, tokens(1)), kept)
    assert later.get(SINK, tokens(3)) is None


def test_the_files_are_their_users_alone(path: Path) -> None:
    store = ChunkStore(10**6, DiskChunks(path, 10**6))
    store.put(SINK, tokens(1), rows(1))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert path in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_the_disk_stays_within_its_budget_and_keeps_what_was_used_last(path: Path) -> None:
    disk = DiskChunks(path, 0)
    disk.store(b"a", rows(1), "")
    one = path_bytes(path)
    assert one == 0  # not even one fits
    disk = DiskChunks(path, 20_000)
    for number in range(60):
        disk.store(bytes([number]), rows(number), "")
        assert path_bytes(path) <= 20_000
        assert same(disk.restore(b"\0"), rows(0))  # used again and again
    assert disk.restore(bytes([2])) is None
    assert disk.restore(bytes([59])) is not None


def path_bytes(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return connection.execute("select coalesce(sum(length(data)), 0) from chunk").fetchone()[0]


def test_an_owners_chunks_are_forgotten_together(path: Path) -> None:
    disk = DiskChunks(path, 10**6)
    for number, owner in enumerate(("one", "two", "one")):
        disk.store(bytes([number]), rows(number), owner)
    assert disk.forget("one") == 2
    assert [disk.restore(bytes([n])) is not None for n in range(3)] == [False, True, False]


def test_of_forgotten_chunks_nothing_is_left_in_any_file(path: Path) -> None:
    mark = torch.tensor(list(b"recognise me"), dtype=torch.int8)
    found = rows(1, tokens=2_000)  # on many pages
    marked = replace(found, keys=mark.repeat(found.keys.numel() // 12 + 1)[: found.keys.numel()])
    disk = DiskChunks(path, 10**6)
    disk.store(b"a", marked, "one")
    disk.store(b"b", rows(2), "two")
    on_disk = lambda: b"".join(each.read_bytes() for each in path.parent.iterdir())  # noqa: E731
    assert b"recognise me" in on_disk()
    assert disk.forget("one") == 1
    assert b"recognise me" not in on_disk()
    assert same(disk.restore(b"b"), rows(2))


def test_an_owner_whose_name_is_no_utf_8_is_one_like_others(path: Path) -> None:
    disk = DiskChunks(path, 10**6)
    disk.store(b"a", rows(1), "/home/\udcff")
    assert same(disk.restore(b"a"), rows(1))
    assert disk.forget("/home/\udcff") == 1
    assert disk.restore(b"a") is None


def test_an_entry_that_was_changed_on_disk_is_a_miss(path: Path) -> None:
    disk = DiskChunks(path, 10**6)
    disk.store(b"a", rows(1), "")
    disk.close()
    with sqlite3.connect(path) as connection:
        data = bytearray(connection.execute("select data from chunk").fetchone()[0])
        data[-1] ^= 1
        connection.execute("update chunk set data = ?", (bytes(data),))
    connection.close()
    assert DiskChunks(path, 10**6).restore(b"a") is None


@pytest.mark.parametrize("content", [b"", b"no database at all, but some text" * 50])
def test_a_file_that_is_no_database_is_replaced(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    disk = DiskChunks(path, 10**6)
    disk.store(b"a", rows(1), "")  # finds out
    disk.store(b"a", rows(1), "")
    assert same(disk.restore(b"a"), rows(1))


def test_a_file_of_another_format_is_begun_anew(path: Path) -> None:
    disk = DiskChunks(path, 10**6)
    disk.store(b"a", rows(1), "")
    disk.close()
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 999")
    connection.close()
    disk = DiskChunks(path, 10**6)
    assert disk.restore(b"a") is None
    disk.store(b"b", rows(2), "")
    assert same(disk.restore(b"b"), rows(2))


def test_a_folder_that_cannot_be_written_keeps_no_chunks_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "chunks").write_text("a file where the folder should be")
    disk = DiskChunks(tmp_path / "chunks" / "model.sqlite3", 10**6)
    for _ in range(3):
        disk.store(b"a", rows(1), "")
        assert disk.restore(b"a") is None
    assert len(caplog.records) == 1


def test_two_processes_share_one_file(path: Path) -> None:
    one, other = DiskChunks(path, 10**6), DiskChunks(path, 10**6)
    one.store(b"a", rows(1), "")
    other.store(b"b", rows(2), "")
    assert same(other.restore(b"a"), rows(1))
    assert same(one.restore(b"b"), rows(2))
