"""Whatever the text: always an answer, never an exception, and it says what happened.

The slow test drives every grammar's C code with broken code for minutes, in the worker process; a
crash or a hang there would show as a strike.
"""

import os
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.grammar import isolate
from keyturn.models.grammar.isolate import GrammarProcess
from keyturn.models.grammar.languages import GRAMMARS, open_oracle
from keyturn.models.grammar.oracle import Opening, Oracle
from support.broken_code import broken
from support.corpus import sample

LANGUAGES = sorted(GRAMMARS)
FUZZ_SECONDS = float(os.environ.get("KEYTURN_FUZZ_SECONDS", "60"))  # for each language
INVALID = (b"\xff", b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\x00")


def explore(oracle: Oracle, text: str, rng: random.Random) -> Opening:
    """Open broken code at a random place and read on from there as completions would."""
    code = broken(text, rng)
    cut = rng.randrange(len(code) + 1)
    opening = oracle.open(code[:cut])
    assert opening.constrained or opening.reason
    assert not opening.skipped_lines or opening.reason
    state = opening.state
    for _ in range(rng.randrange(8)):
        at = rng.randrange(len(code))
        data = code[at : at + rng.randrange(1, 9)].encode("utf-8", "replace")
        following = state.feed(rng.choice((data, data, data, data, rng.choice(INVALID))))
        state.can_finish()
        state = following or state
    lines = tuple(code[cut:].splitlines(keepends=True)[:6])
    assert 0 <= state.reach(lines, True) <= len(lines) + 1
    return opening


@settings(max_examples=150, deadline=None)
@given(language=st.sampled_from(LANGUAGES), seed=st.integers(0, 2**32))
def test_broken_code_always_gets_an_answer_that_says_what_happened(language: str, seed: int):
    explore(open_oracle(language), sample_of(language), random.Random(seed))


def sample_of(language: str) -> str:
    return sample("javascript") if language == "javascriptreact" else sample(language)


@given(language=st.sampled_from(LANGUAGES), text=st.text(max_size=60), data=st.binary(max_size=12))
@settings(max_examples=100, deadline=None)
def test_any_text_and_any_bytes_get_an_answer(language: str, text: str, data: bytes):
    opening = open_oracle(language).open(text)
    assert opening.constrained or opening.reason
    state = opening.state.feed(data)
    if state is not None:
        state.can_finish()
        state.reach((text, "\n"), True)


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("language", LANGUAGES)
def test_minutes_of_broken_code_neither_crash_nor_stop_a_grammar(
    language: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(isolate, "STEP_SECONDS", 60.0)  # a hang, and not a busy machine
    monkeypatch.setattr(isolate, "OPEN_SECONDS", 60.0)
    process, text, tried, constrained = GrammarProcess(), sample_of(language), 0, 0
    end = time.monotonic() + FUZZ_SECONDS
    try:
        while time.monotonic() < end:
            seed = tried
            opening = explore(process.oracle(f"{seed % 4}", language), text, random.Random(seed))
            assert not process._strikes, f"{language}, seed {seed}: {opening.reason}"
            tried, constrained = tried + 1, constrained + opening.constrained
    finally:
        process.close()
    with capsys.disabled():
        print(f"\n{language}: {tried} texts, {constrained} constrained", end="", flush=True)
    assert constrained > 0
