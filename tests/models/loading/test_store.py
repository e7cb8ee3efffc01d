"""Converted models: written once, mapped ever after, never used when damaged."""

import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from torch.testing import assert_close

from keyturn.models.errors import ModelError
from keyturn.models.hub.cache_folder import cache_errors, cache_folder
from keyturn.models.hub.checksums import Checksums
from keyturn.models.loading.store import Entry, Store, StoreKey
from keyturn.models.loading.tensor_file import (
    ALIGNMENT_BYTES,
    DTYPE_NAMES,
    MappedTensors,
    write_tensors,
)
from keyturn.models.tokenizer.vocabulary import Vocabulary

KEY = StoreKey("ab" * 32, "int8")
CONFIG = {"model_type": "qwen2", "hidden_size": 3}
VOCABULARY = Vocabulary("metaspace", ["<s>", "é"], [], {"<s>": 0}, None)
TENSORS = {
    "odd.values": torch.arange(-15, 15, dtype=torch.int8).view(5, 6),
    "odd.scales": torch.linspace(0, 1, 5),
    "embed.weight": torch.randn(7, 3).half(),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def write(store: Store) -> Entry:
    return store.write(KEY, "tiny", TENSORS.items(), CONFIG, VOCABULARY)


def test_an_entry_comes_back_as_it_was_written(store: Store) -> None:
    write(store)
    entry = store.open(KEY)
    assert entry
    assert entry.info.config == CONFIG
    assert entry.info.name == "tiny"
    assert entry.vocabulary() == VOCABULARY
    tensors = entry.tensors()
    assert dict.fromkeys(tensors) == dict.fromkeys(TENSORS)
    for name, tensor in tensors.items():
        assert_close(tensor, TENSORS[name], rtol=0, atol=0)
    assert "padding.1" not in tensors
    assert tensors.get("odd.bias") is None
    assert not entry.damaged()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is given back")
def test_pages_that_are_given_back_are_read_again_when_needed(tmp_path: Path) -> None:
    values = torch.arange(1 << 24, dtype=torch.int32).view(1 << 10, -1)
    write_tensors(tmp_path / "weights", [("values", values)])
    mapped = MappedTensors(tmp_path / "weights", "cpu")
    tensor = mapped["values"]
    assert torch.equal(tensor, values)
    before = psutil.Process().memory_info().rss
    mapped.drop_pages()
    assert before - psutil.Process().memory_info().rss > values.nbytes / 2
    assert torch.equal(tensor, values)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(DTYPE_NAMES, key=str)),
            st.lists(st.integers(0, 5), min_size=1, max_size=3),
        ),
        max_size=8,
    )
)
def test_what_is_written_is_a_safetensors_file(
    tmp_path_factory: pytest.TempPathFactory, shapes: list[tuple[torch.dtype, list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("files") / "a.safetensors"
    made = {
        f"t{i}": torch.arange(torch.Size(shape).numel()).view(shape).to(dtype)
        for i, (dtype, shape) in enumerate(shapes)
    }
    size, _ = write_tensors(path, made.items())
    assert path.stat().st_size == size
    theirs = load_file(path)
    ours = MappedTensors(path, "cpu")
    assert set(ours) == set(made)
    for name, tensor in made.items():
        assert_close(theirs[name], tensor, rtol=0, atol=0)
        assert_close(ours[name], tensor, rtol=0, atol=0)


def test_mapped_tensors_are_aligned(store: Store) -> None:
    for tensor in write(store).tensors().values():
        assert tensor.data_ptr() % ALIGNMENT_BYTES == 0


def test_a_missing_entry_is_none(store: Store) -> None:
    assert store.open(KEY) is None
    assert store.entries() == []


def test_another_source_with_the_same_first_digits_is_another_source(store: Store) -> None:
    write(store)
    other = StoreKey(KEY.source_sha256[:16] + "0" * 48, KEY.form)
    assert str(other) == str(KEY)
    assert store.open(other) is None


# region damage


def damage_truncate(folder: Path) -> None:
    os.truncate(folder / "weights.safetensors", (folder / "weights.safetensors").stat().st_size - 1)


def damage_header(folder: Path) -> None:
    with (folder / "weights.safetensors").open("r+b") as file:
        file.seek(20)
        file.write(b"\xff\xff")


def damage_information(folder: Path) -> None:
    (folder / "entry.json").write_text("{")


def damage_format(folder: Path) -> None:
    info = json.loads((folder / "entry.json").read_text())
    (folder / "entry.json").write_text(json.dumps(info | {"format": 0}))


def damage_vocabulary(folder: Path) -> None:
    (folder / "vocabulary.json").unlink()


def damage_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    os.utime(path, ns=(1, 1))  # another time than it was written at, however coarse the clock


def damage_weights_wholly(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"")


def damage_config(folder: Path) -> None:
    text = (folder / "entry.json").read_text()
    (folder / "entry.json").write_text(text.replace('"hidden_size": 3', '"hidden_size": 4'))


def damage_spelling(folder: Path) -> None:
    text = (folder / "vocabulary.json").read_text(encoding="utf-8")
    (folder / "vocabulary.json").write_text(text.replace("é", "è"), encoding="utf-8")


def damage_vocabulary_wholly(folder: Path) -> None:
    (folder / "vocabulary.json").write_bytes(b"")


def damage_seal(folder: Path) -> None:
    (folder / "sealed.json").write_text("[" * 100_000)


def test_weights_are_read_whole_only_when_they_may_have_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = write(store)
    read: list[Path] = []
    digest = Checksums.digest

    def noted(path: Path) -> str:
        read.append(path)
        return digest(path)

    monkeypatch.setattr(Checksums, "digest", staticmethod(noted))
    assert store.open(KEY)
    assert read == []
    os.utime(entry.folder / "weights.safetensors", ns=(1, 1))
    assert store.open(KEY)
    assert store.open(KEY)
    assert len(read) == 1


def test_an_entry_of_an_earlier_format_is_cleared_away(store: Store) -> None:
    former = store.root / f"{KEY}".replace("-v", "-v0")
    former.mkdir(parents=True)
    entry = write(store)
    assert list(store.root.iterdir()) == [entry.folder]


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_header,
        damage_information,
        damage_format,
        damage_vocabulary,
        damage_weights,
        damage_weights_wholly,
        damage_config,
        damage_spelling,
        damage_vocabulary_wholly,
        damage_seal,
    ],
)
def test_a_damaged_entry_is_not_used_but_made_again(store: Store, damage) -> None:
    damage(write(store).folder)
    assert store.open(KEY) is None
    assert store.entries() == []
    write(store)
    assert store.open(KEY)


def test_a_changed_byte_among_the_weights_can_be_found(store: Store) -> None:
    entry = write(store)
    with (entry.folder / "weights.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    assert entry.damaged()


def test_a_conversion_that_fails_halfway_leaves_nothing(store: Store) -> None:
    def failing() -> Iterator[tuple[str, Tensor]]:
        yield "first", torch.zeros(3)
        raise ModelError("the model lacks a tensor")

    with pytest.raises(ModelError, match="lacks a tensor"):
        store.write(KEY, "tiny", failing(), CONFIG, VOCABULARY)
    assert store.open(KEY) is None
    assert list(store.root.iterdir()) == []


def test_what_a_killed_conversion_left_is_replaced(store: Store) -> None:
    partial = store.root / f"partial-{KEY}"
    partial.mkdir(parents=True)
    (partial / "weights.safetensors").write_bytes(b"half")
    assert store.open(KEY) is None
    write(store)
    assert store.open(KEY)
    assert not partial.exists()


# endregion
# region the disk


@pytest.fixture
def no_large_files() -> Iterator[None]:
    """The operating system refuses files over 1 MB, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("no_large_files")
def test_a_write_that_fails_leaves_nothing_and_says_so(store: Store) -> None:
    with pytest.raises(ModelError, match=r"cannot write to the cache folder .*KEYTURN_CACHE"):
        write(store)
    assert list(store.root.iterdir()) == []


def test_a_full_disk_is_called_that(tmp_path: Path) -> None:
    with (
        pytest.raises(ModelError, match="the disk is full: free some space"),
        cache_errors(tmp_path),
    ):
        Path("/dev/full").write_bytes(b"x" * 1_000_000)


def test_a_cache_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file")
    with pytest.raises(ModelError, match="cannot write to the cache folder"):
        store.lock(KEY)
    with pytest.raises(ModelError, match="cannot write to the cache folder"):
        write(store)


def test_a_lock_that_cannot_be_taken_is_one_clear_error(store: Store) -> None:
    (store.root / f"{KEY}.lock").mkdir(parents=True)  # as good as no permission, even for root
    with pytest.raises(ModelError, match="cannot write to the cache folder"):
        store.lock(KEY)


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KEYTURN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("KEYTURN_CACHE")
    assert cache_folder().name == "keyturn"


# endregion
