"""Completions searched side by side, against those searched one after the other."""

import math
from collections.abc import Callable
from itertools import islice

import pytest
import torch

from keyturn.api.report import Finish
from keyturn.api.request import GrammarMode, Sampling
from keyturn.cache.sequence import CachedSequence
from keyturn.models.constrained import alternatives
from keyturn.models.constrained.alternatives import Alternatives
from keyturn.models.constrained.guide import DISAGREE, Guide
from keyturn.models.constrained.guided_decoder import GuidedDecoder
from keyturn.models.decoding.decode import Decoder, Interrupted, Stops, Token
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.decoding.stops import Anything
from keyturn.models.grammar.languages import open_oracle
from keyturn.models.grammar.oracle import Unavailable
from keyturn.models.prompts.fim import PromptBuilder, PromptOptions
from keyturn.models.speculative.draft import Context, Draft, Verified
from keyturn.models.speculative.verify import Guesser, NoGuess
from support.models.leaning import MODEL, TOKENIZER, Leaning
from support.models.tiny import forward

BUILDER = PromptBuilder(TOKENIZER)
LEFT, RIGHT = '{"a": [1, ', ' 2], "b": {}}\n'
PROMPT = BUILDER.build(LEFT, RIGHT, PromptOptions(heal=False))
LIMIT = 10


LEANING = Leaning()
DECODER = Decoder(LEANING, TOKENIZER)


class Guesses:
    """Drafts of every branch: none, or a likely digit over and over."""

    def __init__(self, digit: int | None = None) -> None:
        self.passes = 0
        self._digit = digit

    def branch(self) -> Guesser:
        return NoGuess() if self._digit is None else Stubborn(self._digit)


class Stubborn:
    """Says one token again and again."""

    taps: frozenset[int] = frozenset()

    def __init__(self, token: int) -> None:
        self._token = token

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        count = min(budget, 3)
        return "stubborn", Draft((self._token,) * count, (0.5,) * count)

    def verified(self, verified: Verified, forward_ms: float) -> None:
        """Learns nothing."""


def as_it_is(text: str, finish: Finish) -> str:
    return text


def guide(mode: GrammarMode = GrammarMode.EXACT) -> Guide:
    if mode is GrammarMode.OFF:
        return Guide(Unavailable("switched off").open(LEFT), RIGHT, mode, as_it_is)
    return Guide(open_oracle("json").open(LEFT), RIGHT, mode, as_it_is)


def prefilled(deadline: float | None = None) -> tuple[CachedSequence, torch.Tensor, Stops]:
    sequence = CachedSequence(MODEL.new_arena())
    stops = Stops(BUILDER.stops, LIMIT, Anything(), deadline)
    logits = DECODER.prefill(sequence, PROMPT.tokens, Stops(BUILDER.stops, LIMIT), lambda: False)
    return sequence, logits, stops


def side_by_side(
    count: int,
    mode: GrammarMode = GrammarMode.EXACT,
    guesses: Guesses | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[list[Token]]:
    sequence, logits, stops = prefilled()
    together = DECODER.side_by_side(sequence, logits, stops, cancelled, guesses or Guesses())
    found = Alternatives(DECODER, together, PROMPT, stops, cancelled, guide(mode))
    completions = [list(tokens) for tokens in islice(found, count)]
    assert sequence.tokens == list(PROMPT.tokens), "the sequence is as it was"
    return completions


def in_turn(count: int, mode: GrammarMode = GrammarMode.EXACT) -> list[list[Token]]:
    sequence, logits, stops = prefilled()
    one, decoder, found = guide(mode), GuidedDecoder(DECODER), []
    for _ in range(count):
        sequence.truncate(len(PROMPT.tokens))
        found.append(
            list(decoder.generate(sequence, PROMPT, logits, Sampler(Sampling()), stops,
                                  lambda: False, one))
        )  # fmt: skip
    return found


def ids(completions: list[list[Token]]) -> list[list[int]]:
    return [[token.id for token in tokens] for tokens in completions]


@pytest.mark.parametrize("mode", [GrammarMode.EXACT, GrammarMode.GCD, GrammarMode.OFF])
def test_one_at_a_time_they_are_the_next_best_in_their_order(
    monkeypatch: pytest.MonkeyPatch, mode: GrammarMode
) -> None:
    monkeypatch.setattr(alternatives, "MOST_WAYS", 1)
    assert side_by_side(5, mode) == in_turn(5, mode)


@pytest.mark.parametrize("mode", [GrammarMode.EXACT, GrammarMode.GCD, GrammarMode.OFF])
def test_the_first_is_the_greedy_one_whatever_goes_on_beside_it(mode: GrammarMode) -> None:
    assert side_by_side(4, mode)[0] == in_turn(1, mode)[0]


def test_no_two_are_the_same() -> None:
    found = ids(side_by_side(8, GrammarMode.OFF))
    assert len({tuple(tokens) for tokens in found}) == 8


def test_each_is_greedy_behind_the_token_with_which_it_parts_from_the_others() -> None:
    found = ids(side_by_side(6, GrammarMode.OFF))
    for number, tokens in enumerate(found[1:], 1):
        sequence = CachedSequence(MODEL.new_arena())
        logits = forward(LEANING, sequence, [*PROMPT.tokens, *tokens])[len(PROMPT.tokens) - 1 :]
        best = logits.argmax(dim=-1).tolist()
        parted = max(
            next(
                at for at, pair in enumerate(zip(tokens, other, strict=False)) if pair[0] != pair[1]
            )
            for at_number, other in enumerate(found)
            if at_number != number
        )
        assert tokens[parted + 1 :] == best[parted + 1 : len(tokens)]


def test_drafts_change_no_completion() -> None:
    digit = TOKENIZER.encode("1")[0]
    plain, drafted = side_by_side(6), side_by_side(6, guesses=Guesses(digit))
    assert ids(drafted[:1]) == ids(plain[:1])
    both = [tokens for tokens in ids(drafted) if tokens in ids(plain)]
    assert len(both) >= 4  # the order is that of ending, which drafts do change


def test_all_go_on_in_one_pass() -> None:
    guesses = Guesses()
    found = side_by_side(4, GrammarMode.OFF, guesses)
    assert guesses.passes < sum(map(len, found)) / 2


def test_odds_come_with_every_token() -> None:
    for tokens in side_by_side(3):
        assert all(token.odds is not None and 0 < token.odds.chance <= 1 for token in tokens)
        assert math.isfinite(sum(math.log(t.odds.chance) for t in tokens if t.odds))


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cancel_leaves_what_there_is_of_the_first_one(after: int) -> None:
    asked = iter(range(10_000))
    sequence, logits, stops = prefilled()
    cancelled = lambda: next(asked) >= after  # noqa: E731
    together = DECODER.side_by_side(sequence, logits, stops, cancelled, Guesses())
    off = guide(GrammarMode.OFF)
    found = iter(Alternatives(DECODER, together, PROMPT, stops, cancelled, off))
    tokens, given = next(found), []
    with pytest.raises(Interrupted) as interrupted:
        given.extend(token.id for token in tokens)
    assert interrupted.value.finish is Finish.CANCELLED
    assert given == ids(in_turn(1, GrammarMode.OFF))[0][: len(given)]
    assert next(found, None) is None


def test_where_model_and_grammar_disagree_all_are_the_models_own() -> None:
    def nothing_fits() -> Guide:
        return Guide(
            open_oracle("json").open(LEFT), RIGHT, GrammarMode.EXACT, lambda text, finish: "]]]]"
        )

    beside, alone = nothing_fits(), nothing_fits()
    sequence, logits, stops = prefilled()
    together = DECODER.side_by_side(sequence, logits, stops, lambda: False, Guesses())
    found = Alternatives(DECODER, together, PROMPT, stops, lambda: False, beside)
    completions = [list(tokens) for tokens in islice(found, 3)]
    want = list(
        GuidedDecoder(DECODER).generate(
            sequence, PROMPT, logits, Sampler(Sampling()), stops, lambda: False, alone
        )
    )
    assert completions[0] == want
    assert len(completions) == 3
    assert beside.use.reason == alone.use.reason == DISAGREE
    assert beside.use.refused >= alone.use.refused > 0
