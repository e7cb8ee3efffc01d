"""Speculation in the engine that users get: every arm answers as plain decoding does."""

import itertools
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch

from keyturn.api.report import Finish
from keyturn.api.request import CompletionOptions, Extent, GrammarMode, Sampling, SpeculationMode
from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.completer import Completer, CompleterOptions
from keyturn.daemon.completion.request import InfillRequest
from keyturn.models.decoding.decode import Decoder, Stops
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.errors import ModelError
from keyturn.models.prompts.fim import Prompt, Span
from keyturn.models.prompts.templates import Order
from keyturn.models.speculative.draft import Scene
from keyturn.models.speculative.pass_cost import Pace
from keyturn.models.speculative.prompt_lookup import Lookup
from keyturn.models.speculative.speculator import Speculator
from keyturn.models.speculative.token_recycling import Recycle
from support.daemon.model_engines import tiny_loaded
from support.models.tiny import oracle, oracle_logits, ours
from support.models.tiny_tokenizer import PAGE

ARMS = (SpeculationMode.LOOKUP, SpeculationMode.RECYCLE, SpeculationMode.AUTO)
ROOM = {"max_position_embeddings": 2048}
JSON = '{"a": [1, 2, 3], "b": [1, 2, 3], "c": {"d": [1, '


class Flat(Pace):
    """A device on which more tokens cost nothing, so that drafts are always tried."""

    def relative(self, tokens: int) -> float:
        return 1.0


def speculator() -> Speculator:
    return Speculator([Lookup(), Recycle()], Flat())


@pytest.fixture(scope="module")
def engine() -> Completer:
    loaded = tiny_loaded()
    reference = oracle("qwen2", vocab_size=loaded.tokenizer.vocabulary, **ROOM)
    for parameter in reference.lm_head.parameters():
        parameter.data *= 5  # a model that is sure of itself
    made = Completer(replace(loaded, model=ours(reference)), CompleterOptions())
    made.speculator = speculator()
    return made


def requests(count: int, **more) -> list[InfillRequest]:
    chance = random.Random(4)
    made: list[InfillRequest] = []
    for number in range(count):
        text = JSON if number % 4 == 3 else PAGE
        at = chance.randrange(1, len(text))
        sampling = (Sampling(), Sampling(1.0, 0.9, seed=number), Sampling(2.0))[number % 3]
        path = "a.json" if text is JSON else "a.py"
        asked = InfillRequest(
            text[:at],
            text[at:],
            path,
            CompletionOptions(max_tokens=16, extent=Extent.ALL, sampling=sampling),
        )
        made.append(asked.with_options(**more))
    return made


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("grammar", [GrammarMode.OFF, GrammarMode.EXACT])
def test_every_arm_says_what_plain_decoding_says(engine: Completer, arm, grammar) -> None:
    drafted = accepted = 0
    for request in requests(12, grammar=grammar):
        plain = engine.complete(request.with_options(speculation=SpeculationMode.OFF))
        assert plain.meta.speculation.drafted == 0
        found = engine.complete(request.with_options(speculation=arm))
        assert found.candidates == plain.candidates
        assert found.meta.finish is plain.meta.finish
        assert found.meta.generated_tokens == plain.meta.generated_tokens
        assert found.meta.grammar.mode is plain.meta.grammar.mode
        assert found.meta.grammar.refused == plain.meta.grammar.refused
        drafted += found.meta.speculation.drafted
        accepted += found.meta.speculation.accepted
        assert found.meta.speculation.passes <= plain.meta.speculation.passes
    assert 0 < accepted < drafted


def test_several_candidates_and_stop_rules_are_those_of_plain_decoding(engine: Completer) -> None:
    accepted = 0
    for extent in (Extent.LINE, Extent.BLOCK, Extent.AUTO):
        for request in requests(8, grammar=GrammarMode.OFF, candidates=3, extent=extent):
            plain = engine.complete(request.with_options(speculation=SpeculationMode.OFF))
            found = engine.complete(request)
            assert found.candidates == plain.candidates
            accepted += found.meta.speculation.accepted
    assert accepted > 0


def test_a_session_through_edits_answers_as_plain_decoding(engine: Completer) -> None:
    one, other = engine.new_session(), engine.new_session()
    text, chance = PAGE, random.Random(2)
    for _ in range(12):
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(["", "x = 1\n", "return self\n"]) + text[at + 5 :]
        request = InfillRequest(
            text[:at], text[at:], "a.py", CompletionOptions(max_tokens=10, grammar=GrammarMode.OFF)
        )
        plain = engine.complete(request.with_options(speculation=SpeculationMode.OFF), session=one)
        assert engine.complete(request, session=other).candidates == plain.candidates
        other.sequence.check_integrity()


def test_streamed_text_is_the_text(engine: Completer) -> None:
    for request in requests(8, grammar=GrammarMode.OFF):
        pieces: list[str] = []
        found = engine.complete(replace(request, stream=pieces.append))
        assert "".join(pieces) == (found.candidates[0].text if found.candidates else "")


@pytest.mark.parametrize("looks", [1, 2, 3, 5])
def test_a_cancel_between_rounds_keeps_what_was_certain(engine: Completer, looks: int) -> None:
    for request in requests(4, grammar=GrammarMode.OFF):
        whole = engine.complete(request.with_options(speculation=SpeculationMode.OFF))
        counter = itertools.count()
        found = engine.complete(replace(request, cancelled=lambda c=counter: next(c) >= looks + 1))
        if found.meta.finish is Finish.CANCELLED:
            assert whole.meta.generated_tokens >= found.meta.generated_tokens


def test_an_arm_that_the_model_does_not_have_is_an_error(engine: Completer) -> None:
    with pytest.raises(ModelError, match="use --speculate auto"):
        engine.complete(
            InfillRequest("x = ", options=CompletionOptions(speculation=SpeculationMode.EXIT))
        )


def test_deleted_text_and_other_files_are_looked_up(engine: Completer) -> None:
    session = engine.new_session()
    moved = "def peek(self):\n    return self.items[-1]\n"
    session.show("class Stack:\n    pass\n\n" + moved)
    session.show("class Stack:\n    pass\n\n")
    scene = session.scene(5, Prompt((1,), Span(0, 1), Span(1, 1), Order.PSM), "python")
    tokens = engine.loaded.tokenizer.encode(moved)
    deleted = [list(text) for text in scene.others]
    assert any(tokens[3:-3] == text[at : at + len(tokens) - 6] for text in deleted
               for at in range(len(text)))  # fmt: skip


# region Sampled: the distribution, not only the seed
class Letters:
    """A vocabulary of letters, none of them special."""

    vocabulary = 5

    def encode(self, text: str) -> list[int]:
        return [ord(letter) - 97 for letter in text]

    def token_bytes(self, token: int) -> bytes:
        return bytes([97 + token])


@pytest.mark.parametrize("arm", ARMS)
def test_sampled_triples_have_the_distribution_of_the_model(arm: SpeculationMode) -> None:
    reference = oracle("qwen2", vocab_size=5)
    for parameter in reference.lm_head.parameters():
        parameter.data *= 0.3  # nothing too unlikely to be counted
    model = ours(reference)
    decoder, tokens = Decoder(model, Letters()), (0, 1, 2, 0, 1)
    expected = _triples(reference, list(tokens))
    counts = dict.fromkeys(expected, 0)
    shared, sequence = speculator(), CachedSequence(model.new_arena())
    stops = Stops(frozenset(), 3)
    prompt = Prompt(tokens, Span(0, 5), Span(5, 5), Order.PSM)
    logits, accepted, samples = None, 0, 1_000
    for seed in range(samples):
        if logits is None:
            logits = decoder.prefill(sequence, tokens, stops, lambda: False)
        sequence.truncate(len(tokens))
        speculation = shared.speculation(arm, Scene("x", tokens))
        speculation.begin()
        sampler = Sampler(Sampling(temperature=1.0, seed=seed))
        found = decoder.generate(
            sequence, prompt, logits, sampler, stops, lambda: False, guesser=speculation
        )
        counts[tuple(token.id for token in found)] += 1
        accepted += speculation.use.accepted
    assert accepted > samples / 20
    assert surprise(counts, {key: chance * samples for key, chance in expected.items()}) < 3.7
    copies = {path: chance * (1 + (path[0] == path[1])) for path, chance in expected.items()}
    biased = {path: x * samples / sum(copies.values()) for path, x in copies.items()}
    assert surprise(counts, biased) > 3.7  # trusting copies would have been seen


def surprise(counts: Mapping[Any, int], expected: Mapping[Any, float]) -> float:
    """Pearson's chi-square as a standard normal deviate (Wilson and Hilferty 1931); what is too
    rare to be compared is put together."""
    rare = [key for key in expected if expected[key] < 5]
    pairs = [(counts[key], expected[key]) for key in expected if expected[key] >= 5]
    if rare:
        pairs.append((sum(counts[key] for key in rare), sum(expected[key] for key in rare)))
    freedom = len(pairs) - 1
    statistic = sum((seen - wanted) ** 2 / wanted for seen, wanted in pairs)
    spread = 2 / (9 * freedom)
    return ((statistic / freedom) ** (1 / 3) - (1 - spread)) / spread**0.5


def _triples(reference, tokens: list[int]) -> dict[tuple[int, ...], float]:
    """The probability of every three tokens after `tokens`, by the oracle."""
    chances: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(3):
        longer = {}
        for path, chance in chances.items():
            p = oracle_logits(reference, [*tokens, *path])[-1].double().softmax(-1)
            longer |= {(*path, token): chance * float(p[token]) for token in range(5)}
        chances = longer
    total = torch.tensor(list(chances.values()), dtype=torch.float64).sum()
    return {path: chance / float(total) for path, chance in chances.items()}


# endregion
