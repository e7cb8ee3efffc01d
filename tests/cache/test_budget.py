"""Files share a fixed number of bytes; what gives way comes back from the spill, or is a miss."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.cache.budget import Budget, Spill
from keyturn.cache.errors import OverBudget
from keyturn.cache.sequence import CachedSequence
from keyturn.cache.spill import DiskSpill, HostSpill
from support.cache.edited_sequence import fresh, move_to, new_sequence, run, stored, target, tiny
from support.models.tiny import random_tokens

MODEL = tiny(2)
PER_TOKEN = MODEL.new_arena().bytes_per_row


def filled(budget: Budget, key: str, count: int) -> CachedSequence:
    sequence = CachedSequence(MODEL.new_arena().empty_like(0))
    budget.use(key, sequence, count)
    run(MODEL, sequence, sequence.append(random_tokens(count, seed=len(key))))
    return sequence


def edited() -> CachedSequence:
    """A sequence with several segments, offsets, and stale tokens."""
    sequence, tokens = new_sequence(MODEL), random_tokens(80)
    move_to(MODEL, sequence, target(tokens, list(range(1, 81))))
    tokens[10:12] = [1, 2, 3, 4]
    move_to(MODEL, sequence, target(tokens, list(range(1, 11)) + [0] * 4 + list(range(13, 81))))
    return sequence


def same(one: CachedSequence, other: CachedSequence) -> None:
    assert (one.tokens, one.labels, one.inexact()) == (other.tokens, other.labels, other.inexact())
    for layer in range(2):
        for a, b in zip(stored(one, layer), stored(other, layer), strict=True):
            assert_close(a, b, atol=1e-5, rtol=1e-5)


def test_the_file_used_longest_ago_gives_way() -> None:
    budget = Budget(100 * PER_TOKEN)
    one, two = filled(budget, "a", 40), filled(budget, "bb", 40)
    budget.use("a", one, 40)
    three = filled(budget, "ccc", 40)
    assert [len(s) for s in (one, two, three)] == [40, 0, 40]
    assert budget.used_bytes <= budget.most_bytes
    assert budget.evicted == 1


def test_a_file_that_does_not_fit_alone_is_refused_and_nobody_gives_way() -> None:
    budget = Budget(100 * PER_TOKEN)
    one = filled(budget, "a", 90)
    with pytest.raises(OverBudget, match=r"raise model\.cache_mib"):
        filled(budget, "bb", 101)
    assert len(one) == 90


def test_a_file_cannot_grow_over_what_the_others_have_left() -> None:
    budget = Budget(100 * PER_TOKEN)
    filled(budget, "a", 40)
    two = filled(budget, "bb", 30)
    with pytest.raises(OverBudget):
        two.append(random_tokens(31))
    run(MODEL, two, two.append(random_tokens(30)))
    assert budget.used_bytes <= budget.most_bytes


@given(uses=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 60)), max_size=12))
@settings(max_examples=30, deadline=None)
def test_whatever_is_asked_for_the_budget_holds(uses: list[tuple[str, int]]) -> None:
    budget, sequences = Budget(100 * PER_TOKEN), {}
    for key, count in uses:
        sequence = sequences.setdefault(key, CachedSequence(MODEL.new_arena().empty_like(0)))
        budget.use(key, sequence, count)
        move_to(MODEL, sequence, target(random_tokens(count)))
        assert budget.used_bytes <= budget.most_bytes


def test_rows_cost_the_theoretical_bytes_and_five_percent_at_the_most() -> None:
    config = MODEL.config
    assert 2 * config.layers * config.kv_heads * config.head_dim * 4 == PER_TOKEN
    sequence = CachedSequence(MODEL.new_arena().empty_like(0))
    run(MODEL, sequence, sequence.append(random_tokens(3000)))
    for _ in range(100):
        run(MODEL, sequence, sequence.append([1]))
    assert sequence.arena.nbytes <= 1.07 * len(sequence) * PER_TOKEN
    sequence.shrink()
    assert sequence.arena.nbytes <= 1.05 * len(sequence) * PER_TOKEN


@pytest.fixture(params=["host", "disk"])
def spill(request: pytest.FixtureRequest, tmp_path: Path) -> Spill:
    return HostSpill(2**30) if request.param == "host" else DiskSpill(tmp_path, "a model")


def test_what_gave_way_comes_back_as_it_was(spill: Spill) -> None:
    original, copy = edited(), edited()
    spill.store("key", copy)
    empty = new_sequence(MODEL)
    assert spill.restore("key", empty)
    empty.check_integrity()
    same(empty, original)
    assert not spill.restore("other", new_sequence(MODEL))
    reference, _ = fresh(MODEL, [*empty.tokens, 5])
    assert empty.tokens == reference.tokens[:-1]


def test_an_evicted_file_comes_back_through_the_budget(spill: Spill) -> None:
    budget = Budget(100 * PER_TOKEN, spill)
    one = filled(budget, "a", 60)
    tokens = list(one.tokens)
    filled(budget, "bb", 60)
    assert not one.tokens
    budget.use("a", one, 60)
    assert one.tokens == tokens
    budget.forget("a")
    assert not spill.restore("a", new_sequence(MODEL))


def test_host_memory_for_what_gave_way_is_limited() -> None:
    spill = HostSpill(100 * PER_TOKEN)
    for key in "abc":
        spill.store(key, edited())
    assert [spill.restore(key, new_sequence(MODEL)) for key in "abc"] == [False, False, True]


@given(where=st.floats(0, 1), value=st.integers(0, 255), index=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_spill_file_is_a_miss(
    tmp_path: Path, where: float, value: int, index: bool
) -> None:
    spill = DiskSpill(tmp_path, "a model")
    spill.store("key", edited())
    path = next(tmp_path.glob("*.msgpack" if index else "*.safetensors"))
    data = bytearray(path.read_bytes())
    data[int(where * (len(data) - 1))] ^= value
    path.write_bytes(data)
    sequence = new_sequence(MODEL)
    assert spill.restore("key", sequence) == (value == 0)
    assert bool(sequence.tokens) == (value == 0)


@pytest.mark.parametrize("cut", [0, 1, 100])
def test_a_spill_file_cut_short_is_a_miss(tmp_path: Path, cut: int) -> None:
    spill = DiskSpill(tmp_path, "a model")
    for pattern in ("*.msgpack", "*.safetensors"):
        spill.store("key", edited())
        path = next(tmp_path.glob(pattern))
        path.write_bytes(path.read_bytes()[:cut])
        assert not spill.restore("key", new_sequence(MODEL))


def test_another_model_or_shape_is_a_miss(tmp_path: Path) -> None:
    DiskSpill(tmp_path, "a model").store("key", edited())
    assert not DiskSpill(tmp_path, "another").restore("key", new_sequence(MODEL))
    assert not DiskSpill(tmp_path, "a model").restore("key", new_sequence(tiny(3)))


def test_a_folder_that_cannot_be_made_loses_the_snapshot_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    spill = DiskSpill(tmp_path / "file" / "folder", "a model")
    spill.store("key", edited())
    assert not spill.restore("key", new_sequence(MODEL))
