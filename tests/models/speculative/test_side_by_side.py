"""Several branches run in one pass, against a fresh forward pass over each."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from keyturn.cache.branch import FEW_TOKENS, Branches
from keyturn.cache.sequence import CachedSequence
from keyturn.models.speculative.draft import Context, Draft, Verified
from keyturn.models.speculative.side_by_side import SideBySide
from keyturn.models.speculative.verify import Guesser, keep_all
from support.models.tiny import forward, oracle, oracle_logits, ours, random_tokens

REFERENCE = oracle("qwen2")
MODEL = ours(REFERENCE)
TOKENS = random_tokens(64)
LIMIT = 12
token = st.integers(0, 95)
paths = st.lists(st.lists(token, min_size=1, max_size=LIMIT), min_size=1, max_size=4)


class Repeating:
    """Drafts the last token again, right or not."""

    taps: frozenset[int] = frozenset()

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        count = min(budget, 2)
        return "again", Draft((context.path[-1],) * count, (0.5,) * count)

    def verified(self, verified: Verified, forward_ms: float) -> None:
        assert verified.accepted <= len(verified.draft.tokens)


class Guesses:
    """The same for every branch."""

    def __init__(self) -> None:
        self.passes = 0

    def branch(self) -> Guesser:
        return Repeating()


def begin(prompt: Sequence[int]) -> tuple[SideBySide, CachedSequence, torch.Tensor]:
    sequence = CachedSequence(MODEL.new_arena())
    logits = forward(MODEL, sequence, prompt)[-1]
    together = SideBySide(MODEL, sequence, logits, LIMIT, lambda: None, Guesses())
    return together, sequence, logits


@settings(max_examples=40, deadline=None)
@given(paths=paths, cuts=st.lists(st.integers(1, LIMIT), min_size=4, max_size=4))
def test_every_branch_is_what_a_fresh_pass_says_wherever_it_parts(
    paths: list[list[int]], cuts: list[int]
) -> None:
    together, sequence, _ = begin(TOKENS[:20])
    verifiers = [
        (together.verifier(path[:cut]), path) for path, cut in zip(paths, cuts, strict=False)
    ]
    for count in range(1, LIMIT + 1):
        asked = [(v, path[:count]) for v, path in verifiers if len(path) >= count]
        together.ask((v, path, keep_all) for v, path in asked)
        for verifier, path in asked:
            found = verifier.known(path)
            assert found is not None
            right = oracle_logits(REFERENCE, [*TOKENS[:20], *path])[-1]
            assert_close(found, right, atol=5e-4, rtol=5e-4)
    assert sequence.tokens == TOKENS[:20]
    sequence.check_integrity()


def test_a_branch_begins_with_what_another_one_knows() -> None:
    together, *_ = begin(TOKENS[:20])
    first = together.verifier([])
    path = TOKENS[30:36]
    for count in range(1, 7):
        together.ask([(first, path[:count], keep_all)])
    other = together.verifier([*path[:4], 7])
    ready = other.asks([*path[:4], 7])
    assert ready is not None
    assert ready.unseen == (7,)
    assert ready.start == 24


@settings(max_examples=40, deadline=None)
@given(edits=st.lists(st.integers(1, 16), max_size=3), count=st.integers(1, 5))
def test_the_first_branch_goes_on_in_the_rows_and_segments_of_its_sequence(
    edits: list[int], count: int
) -> None:
    """So that it computes what the sequence would, to the last bit."""

    def edited() -> CachedSequence:
        sequence = CachedSequence(MODEL.new_arena())
        forward(MODEL, sequence, TOKENS[:20])
        for at in edits:
            sequence.drop(at, at + 1)
            sequence.changed(at)
        return sequence

    sequence, alone = edited(), edited()
    branch = Branches(sequence, 30).new()
    for token in TOKENS[30 : 30 + count]:
        assert branch.append([token]) == alone.append([token])


def test_rows_over_the_budget_are_given_back_when_the_branches_end() -> None:
    sequence = CachedSequence(MODEL.new_arena(0), most_rows=40)
    forward(MODEL, sequence, TOKENS[:20])
    branches = Branches(sequence, 60)
    branches.new().append([1])
    branches.new().append([2])
    assert sequence.arena.rows > 40
    branches.end()
    assert sequence.arena.rows == 40
    right = oracle_logits(REFERENCE, TOKENS[:21])[-1]
    assert_close(forward(MODEL, sequence, TOKENS[20:21])[-1], right, atol=5e-4, rtol=5e-4)


@pytest.mark.parametrize("count", [FEW_TOKENS, FEW_TOKENS + 1, 60])
def test_a_branch_that_outgrows_its_rows_gets_others(count: int) -> None:
    prompt, path = TOKENS[:4], TOKENS[4:64]
    sequence = CachedSequence(MODEL.new_arena(0))
    forward(MODEL, sequence, prompt)
    branches = Branches(sequence, 60)
    branch, beside = branches.new(), branches.new()
    found = torch.empty(0)
    for at in range(count):
        for each in (branch, beside):
            step = each.append([path[at]])
            with torch.inference_mode():
                hidden = MODEL.embed(torch.tensor([path[at]]))
                hidden = MODEL.run_together(hidden, [step], sequence.arena)
                found = MODEL.logits(hidden)[0]
    right = oracle_logits(REFERENCE, [*prompt, *path[:count]])[-1]
    assert_close(found, right, atol=5e-4, rtol=5e-4)
    assert not set(branch.rows) & set(beside.rows)


def test_the_rows_of_a_branch_that_ended_are_used_again() -> None:
    together, sequence, _ = begin(TOKENS[:20])
    sizes: set[int] = set()
    for number in range(8):
        verifier = together.verifier([])
        together.ask([(verifier, [number], keep_all)])
        found = verifier.known([number])
        assert found is not None
        right = oracle_logits(REFERENCE, [*TOKENS[:20], number])[-1]
        assert_close(found, right, atol=5e-4, rtol=5e-4)
        together.drop(verifier)
        sizes.add(sequence.arena.rows)
    assert len(sizes) == 1


def test_branches_see_text_as_it_stands_after_an_edit() -> None:
    sequence = CachedSequence(MODEL.new_arena())
    forward(MODEL, sequence, TOKENS[:30])
    sequence.drop(5, 8)  # what is behind keeps its keys: an offset of -3
    want = CachedSequence(MODEL.new_arena())
    forward(MODEL, want, TOKENS[:30])
    want.drop(5, 8)
    right = forward(MODEL, want, [9])[-1]
    branch = Branches(sequence, 4).new()
    step = branch.append([9])
    with torch.inference_mode():
        hidden = MODEL.embed(torch.tensor([9]))
        found = MODEL.logits(MODEL.run_together(hidden, [step], branch.arena))[0]
    assert_close(found, right, atol=2e-4, rtol=2e-4)
    assert len(sequence) == 27


def test_what_a_branch_writes_touches_neither_the_sequence_nor_another_branch() -> None:
    sequence = CachedSequence(MODEL.new_arena())
    forward(MODEL, sequence, TOKENS[:30])
    before = [sequence.values(range(30), layer).clone() for layer in range(MODEL.config.layers)]
    branches = Branches(sequence, 6)
    steps = [branches.new().append(TOKENS[40:46]) for _ in range(3)]
    rows = [range(step.parts[0].row, step.parts[0].row + 6) for step in steps]
    assert len({row for each in rows for row in each}) == 18
    with torch.inference_mode():
        hidden = MODEL.embed(torch.tensor(TOKENS[40:46] * 3))
        MODEL.run_together(hidden, steps, sequence.arena)
    for layer, values in enumerate(before):
        assert torch.equal(sequence.values(range(30), layer), values)
