"""Drafts from what the model has said before."""

import io
import os
import stat
import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from keyturn.models.errors import ModelError
from keyturn.models.speculative import recycling_store
from keyturn.models.speculative.draft import Context, Draft, Scene, Verified
from keyturn.models.speculative.recycling_store import RecycledTokens, RecycleStore
from keyturn.models.speculative.token_recycling import CHUNK_TOKENS, Recycle, top
from support.models.one_drafter import NoRows

VOCABULARY = 40


def said(*rows: tuple[int, float]) -> torch.Tensor:
    """Logits whose best token has the probability given."""
    logits = torch.zeros(len(rows), VOCABULARY)
    for row, (token, chance) in zip(logits, rows, strict=True):
        row[token] = torch.tensor(chance * (VOCABULARY - 1) / (1 - chance)).log()
    return logits


def round_of(tokens: list[int], accepted: int, *rows: tuple[int, float], parents=()) -> Verified:
    drafted = Draft(tuple(tokens[1:]), (0.5,) * (len(tokens) - 1), parents)
    return Verified(tokens, 1, drafted, "x", accepted, (), said(*rows), torch.empty(len(tokens), 1))


def propose(recycle: Recycle, *path: int, budget: int = 5) -> Draft:
    return recycle.propose(Context((), path, 1, NoRows()), budget)


def fresh() -> Recycle:
    made = Recycle()
    made.begin(Scene("python", [0]))
    return made


def test_what_followed_a_pair_is_proposed_and_then_what_followed_that() -> None:
    drafter = fresh()
    assert propose(drafter, 1).tokens == ()
    drafter.observe(round_of([1, 2, 3], 2, (2, 0.9), (3, 0.9), (4, 0.9)))
    found = propose(drafter, 1)
    assert found.tokens == (2, 3, 4)
    assert all(0 < confidence < 0.9 for confidence in found.confidences)
    assert propose(drafter, 1, budget=2).tokens == (2, 3)


def test_what_the_model_said_after_a_rejected_token_is_remembered_too() -> None:
    drafter = fresh()
    propose(drafter, 1)
    drafter.observe(round_of([1, 7, 8], 0, (2, 0.9), (20, 0.9), (21, 0.9)))
    assert propose(drafter, 5, 7).tokens[0] == 20


def test_a_pair_counts_for_more_than_a_token() -> None:
    drafter = fresh()
    propose(drafter, 1)
    drafter.observe(round_of([1, 5], 1, (5, 0.9), (10, 0.9)))
    propose(drafter, 2)
    drafter.observe(round_of([2, 5], 1, (5, 0.9), (11, 0.9)))
    assert propose(drafter, 1, 5).tokens[0] == 10
    assert propose(drafter, 2, 5).tokens[0] == 11
    assert propose(drafter, 3, 5).tokens[0] == 11  # the newest
    sure = propose(drafter, 1, 5).confidences[0]
    assert sure > propose(drafter, 3, 5).confidences[0]


def test_in_a_tree_a_token_follows_its_parent() -> None:
    drafter = fresh()
    propose(drafter, 1)
    rows = ((2, 0.9), (20, 0.9), (21, 0.9), (22, 0.9))
    drafter.observe(round_of([1, 2, 3, 4], 1, *rows, parents=(-1, -1, 0)))
    memory = drafter.memories["python"]
    assert memory.pairs.keys() == {(0, 1), (1, 2), (1, 3), (2, 4)}


def test_languages_do_not_mix_and_are_kept() -> None:
    drafter = fresh()
    propose(drafter, 1)
    drafter.observe(round_of([1], 0, (2, 0.9)))
    drafter.begin(Scene("rust", [0]))
    assert propose(drafter, 1).tokens == ()
    drafter.begin(Scene("python", [0]))
    assert propose(drafter, 1).tokens == (2,)


def test_the_oldest_pairs_are_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(recycling_store, "MOST_PAIRS", 3)
    memory = RecycledTokens()
    for token in range(5):
        memory.learn(9, token, ((1,), (0.5,)))
    memory.learn(9, 2, ((1,), (0.5,)))
    memory.learn(9, 5, ((1,), (0.5,)))
    assert list(memory.pairs) == [(9, 4), (9, 2), (9, 5)]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3),
    st.sampled_from([5, CHUNK_TOKENS, CHUNK_TOKENS * 9, CHUNK_TOKENS * 9 + 17]),
    st.integers(1, 8),
    st.integers(0, 99),
)
def test_the_best_tokens_are_those_of_topk_as_likely_as_among_their_neighbours(
    rows, vocabulary, count, seed
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(rows, vocabulary, generator=generator) * 3
    ids, chances = top(logits, count)
    expected = logits.softmax(-1).topk(min(count, vocabulary))
    assert torch.equal(ids, expected.indices)
    known = expected.values / expected.values[:, :1]
    torch.testing.assert_close(chances / chances[:, :1], known)
    assert (chances >= expected.values * 0.999).all()
    assert (chances.sum(dim=-1) < 1.001).all()


# region Keeping it
def learnt(store: RecycleStore) -> Recycle:
    made = Recycle(store)
    made.begin(Scene("c++", [0]))
    propose(made, 1)
    made.observe(round_of([1, 2, 3], 2, (2, 0.9), (3, 0.9), (4, 0.9)))
    return made


def test_what_was_learnt_is_there_in_the_next_process(tmp_path: Path) -> None:
    before = learnt(RecycleStore(tmp_path, "abc", VOCABULARY))
    before.save()
    after = Recycle(RecycleStore(tmp_path, "abc", VOCABULARY))
    after.begin(Scene("c++", [0]))
    assert propose(after, 1).tokens == propose(before, 1).tokens == (2, 3, 4)
    after.begin(Scene("c", [0]))
    assert propose(after, 1).tokens == ()  # another language
    other = Recycle(RecycleStore(tmp_path, "abd", VOCABULARY))
    other.begin(Scene("c++", [0]))
    assert propose(other, 1).tokens == ()  # another model's vocabulary
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["c++.safetensors"]


def test_nothing_new_is_not_written_again(tmp_path: Path) -> None:
    drafter = learnt(RecycleStore(tmp_path, "abc", VOCABULARY))
    drafter.save()
    [file] = tmp_path.rglob("*.safetensors")
    file.unlink()
    drafter.save()
    assert not file.exists()


def kept(**changed: np.ndarray) -> bytes:
    return save({**load_kept(), **changed})


def load_kept() -> dict[str, np.ndarray]:
    return {
        "keys": np.array([[-1, 1], [0, 1]], np.int32),
        "ids": np.array([[2, 3], [2, 3]], np.int32),
        "chances": np.array([[0.9, 0.1], [0.9, 0.1]], np.float16),
    }


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, keys=load_kept()["keys"])
    return file.getvalue()


DAMAGE = {
    "empty": b"",
    "no file of this kind": zipped(),
    "a header that is too long": struct.pack("<Q", 2**63) + b"{}",
    "a header that promises too much": struct.pack("<Q", 70)
    + b'{"keys":{"dtype":"I32","shape":[1099511627776,2],"data_offsets":[0,8]}}'[:70],
    "nothing in it": save({}),
    "another shape": kept(keys=np.zeros((2, 3), np.int32)),
    "other lengths": kept(ids=np.zeros((3, 2), np.int32)),
    "no rows": save({name: array[:0] for name, array in load_kept().items()}),
    "a token past the vocabulary": kept(ids=np.full((2, 2), VOCABULARY, np.int32)),
    "a negative token": kept(ids=np.full((2, 2), -1, np.int32)),
    "a key past the vocabulary": kept(keys=np.array([[-1, 1], [VOCABULARY, 1]], np.int32)),
    "a key of no token": kept(keys=np.full((2, 2), -1, np.int32)),
    "no chance": kept(chances=np.full((2, 2), np.nan, np.float16)),
    "a chance above one": kept(chances=np.full((2, 2), 7, np.float16)),
    "large": bytes(recycling_store.MOST_BYTES + 1),
}


def begun(tmp_path: Path) -> Recycle:
    drafter = Recycle(RecycleStore(tmp_path, "abc", VOCABULARY))
    drafter.begin(Scene("c++", [0]))
    return drafter


@pytest.mark.parametrize("damage", [*DAMAGE, "cut", "a folder", "another user's"])
def test_a_file_that_cannot_be_used_is_as_good_as_none(
    tmp_path: Path, damage: str, caplog, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt(RecycleStore(tmp_path, "abc", VOCABULARY)).save()
    [file] = tmp_path.rglob("*.safetensors")
    match damage:
        case "cut":
            file.write_bytes(file.read_bytes()[:-40])
        case "a folder":
            file.unlink()
            file.mkdir()
        case "another user's":
            monkeypatch.setattr("os.getuid", lambda: file.stat().st_uid + 1)
        case _:
            file.write_bytes(DAMAGE[damage])
    assert propose(begun(tmp_path), 1).tokens == ()
    assert "start anew" in caplog.text


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_a_byte_is_changed_to_only_tokens_of_the_model_are_proposed(data) -> None:
    with TemporaryDirectory() as folder:
        learnt(RecycleStore(Path(folder), "abc", VOCABULARY)).save()
        [file] = Path(folder).rglob("*.safetensors")
        content = bytearray(file.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
        file.write_bytes(content)
        assert set(propose(begun(Path(folder)), 1).tokens) <= set(range(VOCABULARY))


def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        learnt(RecycleStore(tmp_path, "abc", VOCABULARY)).save()
    finally:
        os.umask(before)
    [file] = tmp_path.rglob("*.safetensors")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "recycled").write_text("a file where a folder should be")
    with pytest.raises(ModelError, match="KEYTURN_CACHE"):
        learnt(RecycleStore(tmp_path, "abc", VOCABULARY)).save()


# endregion
