"""Broken code around the cursor: always an answer, and its metadata says what the grammar did."""

import random

import pytest

from keyturn.api.request import CompletionOptions, GrammarMode, Sampling
from keyturn.daemon.completion.completer import Completer
from keyturn.daemon.completion.request import InfillRequest
from support.broken_code import WAYS, broken
from support.corpus import SAMPLES, read
from support.daemon.model_engines import tiny_engine


@pytest.fixture(scope="module")
def engine() -> Completer:
    return tiny_engine()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_broken_file_is_completed_and_the_answer_says_how(way, engine: Completer):
    rng, constrained = random.Random(way.__name__), 0
    for path in SAMPLES[::6]:
        code = way(read(path), rng)
        cut = rng.randrange(len(code) + 1)
        sampling = Sampling(temperature=rng.choice((0.0, 1.0)), seed=cut)
        request = InfillRequest(
            code[:cut], code[cut:], path.name, CompletionOptions(max_tokens=4, sampling=sampling)
        )
        answer = engine.complete(request)
        assert answer.meta.finish
        assert answer.meta.grammar.mode is not GrammarMode.OFF or answer.meta.grammar.reason
        assert not answer.meta.grammar.skipped_lines or answer.meta.grammar.reason
        constrained += answer.meta.grammar.mode is not GrammarMode.OFF
    assert constrained > 0, "some of it is still readable"


def test_a_file_of_another_kind_or_without_a_grammar_says_so(engine: Completer):
    answer = engine.complete(
        InfillRequest("PROGRAM ", "", "a.cobol", CompletionOptions(max_tokens=2))
    )
    assert answer.meta.grammar.reason == "no grammar for plaintext"
    answer = engine.complete(
        InfillRequest("x = ", "", "a.py", CompletionOptions(max_tokens=2, grammar=GrammarMode.OFF))
    )
    assert (answer.meta.grammar.mode, answer.meta.grammar.reason) == (
        GrammarMode.OFF,
        "switched off",
    )


def test_the_same_file_broken_again_and_again_is_answered_every_time(engine: Completer):
    rng = random.Random(1)
    code = read(next(path for path in SAMPLES if path.name == "sample.py"))
    for _ in range(12):
        text = broken(code, rng)
        cut = rng.randrange(len(text) + 1)
        answer = engine.complete(
            InfillRequest(text[:cut], text[cut:], "a.py", CompletionOptions(max_tokens=2))
        )
        assert answer.meta.grammar.mode is not GrammarMode.OFF or answer.meta.grammar.reason
