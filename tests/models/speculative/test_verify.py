"""The verifier, against plain decoding: whatever is drafted, the tokens are the same."""

from collections.abc import Sequence
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.api.request import Sampling
from keyturn.cache.sequence import CachedSequence
from keyturn.models.decoding.decode import Decoder, Interrupted, Stops
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.decoding.stops import SingleLine
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions
from keyturn.models.speculative.draft import Context, Draft, Started, Verified
from keyturn.models.speculative.verify import Verifier
from support.models.tiny import oracle, oracle_logits, ours
from support.models.tiny_tokenizer import PAGE, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
REFERENCE = oracle("qwen2", vocab_size=TOKENIZER.vocabulary, max_position_embeddings=2048)
MODEL = ours(REFERENCE)
DECODER = Decoder(MODEL, TOKENIZER)
BUILDER = PromptBuilder(TOKENIZER)
LAYERS = MODEL.config.layers
NEW = 12


def never() -> bool:
    return False


def _longer(seen: list[int], count: int) -> bool:
    return len(seen) >= count


class Seer:
    """Knows what plain decoding says, and errs where it is told to; may run layers itself.

    `errors`: for each round, the place of the draft that is wrong (none if it is longer).
    """

    def __init__(
        self,
        truth: Sequence[int],
        errors: Sequence[int] = (),
        most: int = 5,
        layers: int = 0,
        taps: frozenset[int] = frozenset(),
        covered: int = 99,
    ) -> None:
        self.truth = truth
        self.errors = list(errors)
        self.most = most
        self.layers = layers
        self.taps = taps
        self.covered = covered  # of the draft's tokens, run by the drafter
        self.rounds: list[Verified] = []

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        assert 1 <= context.unseen <= len(context.path)
        tokens = list(self.truth[len(context.path) :][: min(self.most, budget)])
        wrong = self.errors.pop(0) if self.errors else 99
        if wrong < len(tokens):
            tokens[wrong] = (tokens[wrong] + 1) % TOKENIZER.vocabulary
        started = self._started(context, tokens) if self.layers else None
        return "seer", Draft(tuple(tokens), (0.5,) * len(tokens), started=started)

    def _started(self, context: Context, tokens: list[int]) -> Started:
        """Layer by layer, place by place, as an early exit drafts."""
        run = [*context.path[-context.unseen :], *tokens[: self.covered]]
        parts = []
        for place, token in enumerate(run):
            hidden = MODEL.embed(torch.tensor([token]))
            rows = context.rows
            parts.append(MODEL.run(hidden, rows.step(place, 1), rows.arena, range(self.layers)))
        return Started(self.layers, torch.cat(parts))

    def verified(self, verified: Verified, forward_ms: float) -> None:
        self.rounds.append(verified)


def plain(prefix: str, sampler: Sampler, heal: bool = False) -> tuple[list, list[int]]:
    prompt = BUILDER.build(prefix, "\n", PromptOptions(heal=heal))
    sequence = CachedSequence(MODEL.new_arena())
    tokens = list(DECODER.decode(sequence, prompt, sampler, Stops(frozenset(), NEW), never))
    return tokens, [token.id for token in tokens]


def speculative(prefix: str, sampler: Sampler, guesser, heal: bool = False, stops=None):
    prompt = BUILDER.build(prefix, "\n", PromptOptions(heal=heal))
    sequence = CachedSequence(MODEL.new_arena())
    stops = stops or Stops(frozenset(), NEW)
    logits = DECODER.prefill(sequence, prompt.tokens, stops, never)
    found = DECODER.generate(sequence, prompt, logits, sampler, stops, never, guesser=guesser)
    return list(found), sequence, prompt


prefixes = st.sampled_from(["", "def push(self", "class Stack:\n    x = 1\n", PAGE[:200]])
samplers = st.builds(
    lambda temperature, seed: Sampler(Sampling(temperature, top_p=0.9, seed=seed)),
    st.sampled_from([0.0, 1.0]),
    st.integers(0, 5),
)


# region Lossless
@settings(max_examples=60, deadline=None)
@given(
    prefixes,
    samplers,
    st.lists(st.integers(0, 6), max_size=12),
    st.integers(1, 8),
    st.integers(0, LAYERS - 1),
    st.integers(0, 8),
    st.sets(st.integers(1, LAYERS)),
)
def test_any_draft_gives_the_tokens_of_plain_decoding(
    prefix, sampler, errors, most, layers, covered, taps
) -> None:
    expected, truth = plain(prefix, sampler)
    seer = Seer(truth, errors, most, layers, frozenset(taps), covered)
    found, sequence, prompt = speculative(prefix, sampler, seer)
    assert found == expected
    sequence.check_integrity()
    kept = sequence.tokens[len(prompt.tokens) :]
    assert kept == truth[: len(kept)]
    assert len(kept) >= len(truth) - 1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=8), st.integers(0, LAYERS - 1))
def test_what_is_cached_after_drafts_is_what_a_fresh_prefill_caches(errors, layers) -> None:
    sampler = Sampler(Sampling())
    _, truth = plain(PAGE[:200], sampler)
    _, sequence, _ = speculative(PAGE[:200], sampler, Seer(truth, errors, layers=layers))
    fresh = oracle_logits(REFERENCE, [*sequence.tokens, 5])[-1]
    again = DECODER.prefill(sequence, [*sequence.tokens, 5], Stops(frozenset(), 1), never)
    torch.testing.assert_close(again, fresh, atol=2e-4, rtol=1e-4)


def test_right_drafts_save_forward_passes() -> None:
    sampler = Sampler(Sampling())
    expected, truth = plain(PAGE, sampler)
    seer = Seer(truth, most=3)
    found, _, _ = speculative(PAGE, sampler, seer)
    assert found == expected
    assert len(seer.rounds) == 3  # 1 from the prompt, then 4, 4 and 3 at the limit


def test_a_healed_word_stays_healed() -> None:
    sampler = Sampler(Sampling())
    expected, truth = plain("x = conf", sampler, heal=True)
    found, _, prompt = speculative("x = conf", sampler, Seer(truth, [1, 0, 2]), heal=True)
    assert prompt.pending
    assert found == expected


# endregion
# region What drafters are told
@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=8), st.integers(0, LAYERS - 1))
def test_a_round_is_told_as_it_was(errors, layers) -> None:
    sampler = Sampler(Sampling())
    _, truth = plain(PAGE[:200], sampler)
    seer = Seer(truth, errors, layers=layers, taps=frozenset({LAYERS}))
    _, _, prompt = speculative(PAGE[:200], sampler, seer)
    path = 1
    for told in seer.rounds:
        assert told.drafter == "seer"
        assert told.unseen == 1
        assert list(told.tokens) == [truth[path - 1], *told.draft.tokens]
        assert list(told.taken) == truth[path : path + len(told.taken)]
        assert list(told.draft.tokens[: told.accepted]) == list(told.taken[: told.accepted])
        assert told.hidden.shape == (len(told.tokens), MODEL.config.hidden)
        assert told.tapped[LAYERS] is told.hidden
        fresh = oracle_logits(REFERENCE, [*prompt.tokens, *truth[: path - 1], *told.tokens])
        torch.testing.assert_close(told.logits, fresh[-len(told.tokens) :], atol=2e-4, rtol=1e-4)
        path += len(told.taken)
    assert path == len(truth)


def test_the_last_hidden_state_is_handed_to_the_next_draft() -> None:
    sampler = Sampler(Sampling())
    _, truth = plain(PAGE[:200], sampler)
    seen = []

    class Looking(Seer):
        def draft(self, context, budget):
            seen.append(None if context.hidden is None else MODEL.logits(context.hidden[None])[0])
            return super().draft(context, budget)

    speculative(PAGE[:200], sampler, Looking(truth, [1, 9, 0, 2], most=3))
    assert seen[0] is None
    taken = [1]
    looking = Looking(truth, [1, 9, 0, 2], most=3)
    speculative(PAGE[:200], sampler, looking)
    for round in looking.rounds[:-1]:
        taken.append(taken[-1] + len(round.taken))
    for logits, length in zip(seen[1:], taken[1:], strict=False):
        assert int(logits.argmax()) == truth[length - 1]


# endregion
# region Limits
def test_a_draft_never_goes_past_the_token_limit() -> None:
    _, truth = plain(PAGE, Sampler(Sampling()))
    seer = Seer(truth, most=99)
    speculative(PAGE, Sampler(Sampling()), seer)
    assert max(len(told.tokens) for told in seer.rounds) == NEW - 1


def test_a_draft_stops_before_what_ends_the_completion() -> None:
    newline = TOKENIZER.encode("\n")[0]
    words = TOKENIZER.encode("x = value")
    prompt = BUILDER.build("x = ", "", PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(BUILDER.stops, 50, SingleLine("", ""))
    logits = torch.zeros(TOKENIZER.vocabulary)
    logits[words[0]] = 1
    DECODER.prefill(sequence, prompt.tokens, stops, never)
    for ending in (newline, next(iter(BUILDER.stops))):
        seer = Seer([words[0], words[1], ending, words[2]], most=9)
        found = DECODER.generate(
            sequence, prompt, logits, Sampler(Sampling()), stops, never, guesser=seer
        )
        tokens = [next(iter(found)), next(iter(found))]  # and the round is over
        del found
        assert len(tokens) == 2
        assert seer.rounds[0].draft.tokens == (words[1],)
        sequence.truncate(len(prompt.tokens))


def test_a_full_cache_shortens_drafts_and_nothing_else() -> None:
    sampler = Sampler(Sampling())
    expected, truth = plain(PAGE[:200], sampler)
    prompt = BUILDER.build(PAGE[:200], "\n", PromptOptions(heal=False))
    room = len(prompt.tokens) + NEW
    for limits in ({"most_tokens": room}, {"most_rows": room}):
        sequence = CachedSequence(MODEL.new_arena(0), **limits)  # pyright: ignore
        stops = Stops(frozenset(), NEW)
        logits = DECODER.prefill(sequence, prompt.tokens, stops, never)
        for layers in (0, 2):
            seer = Seer(truth, most=99, layers=layers)
            found = DECODER.generate(sequence, prompt, logits, sampler, stops, never, guesser=seer)
            assert list(found) == expected
            sequence.truncate(len(prompt.tokens))


# endregion
# region Taking back
@pytest.mark.parametrize("layers", [0, 2])
def test_a_cancel_between_steps_leaves_no_draft_behind(layers: int) -> None:
    sampler = Sampler(Sampling())
    _, truth = plain(PAGE[:200], sampler)
    prompt = BUILDER.build(PAGE[:200], "\n", PromptOptions(heal=False))
    for stop_after in range(1, NEW):
        sequence = CachedSequence(MODEL.new_arena())
        stops = Stops(frozenset(), NEW)
        logits = DECODER.prefill(sequence, prompt.tokens, stops, never)
        seen: list[int] = []
        cancelled = partial(_longer, seen, stop_after)
        guesser = Seer(truth, [2, 0, 3], layers=layers)
        found = DECODER.generate(
            sequence, prompt, logits, sampler, stops, cancelled, guesser=guesser
        )
        with pytest.raises(Interrupted):
            seen.extend(token.id for token in found)
        assert seen == truth[:stop_after]
        kept = sequence.tokens[len(prompt.tokens) :]
        assert kept == truth[: len(kept)]
        assert len(kept) <= stop_after
        sequence.check_integrity()


@pytest.mark.parametrize("when", ["draft", "verified"])
def test_a_drafter_that_fails_leaves_the_sequence_whole(when: str) -> None:
    sampler = Sampler(Sampling())
    _, truth = plain(PAGE[:200], sampler)

    class Failing(Seer):
        def draft(self, context, budget):
            drafted = super().draft(context, budget)
            if when == "draft" and len(self.rounds) == 1:
                raise MemoryError
            return drafted

        def verified(self, verified, forward_ms):
            super().verified(verified, forward_ms)
            if when == "verified":
                raise MemoryError

    prompt = BUILDER.build(PAGE[:200], "\n", PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(frozenset(), NEW)
    logits = DECODER.prefill(sequence, prompt.tokens, stops, never)
    failing = Failing(truth, [1], layers=1)
    with pytest.raises(MemoryError):
        list(DECODER.generate(sequence, prompt, logits, sampler, stops, never, guesser=failing))
    sequence.check_integrity()
    kept = sequence.tokens[len(prompt.tokens) :]
    assert kept == truth[: len(kept)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=8))
def test_logits_may_be_asked_for_anywhere_and_again(visits) -> None:
    """As rejection sampling does, which goes back to earlier places and off into others."""
    _, truth = plain(PAGE[:200], Sampler(Sampling()))
    prompt = BUILDER.build(PAGE[:200], "\n", PromptOptions(heal=False))
    sequence = CachedSequence(MODEL.new_arena())
    first = DECODER.prefill(sequence, prompt.tokens, Stops(frozenset(), 1), never)
    with Verifier(MODEL, sequence, first, Seer(truth, [2, 0]), NEW) as verifier:
        for length, elsewhere in visits:
            path = [*truth[:length], *([truth[length] ^ 1] if elsewhere else [])]
            got = verifier.logits(path)
            fresh = oracle_logits(REFERENCE, [*prompt.tokens, *path])[-1]
            torch.testing.assert_close(got, fresh, atol=2e-4, rtol=1e-4)
            sequence.check_integrity()
    assert sequence.tokens[: len(prompt.tokens)] == list(prompt.tokens)


# endregion
