"""What is streamed, joined, is what the completion is in the end, wherever and however it ends."""

import random

import pytest

from keyturn.api.request import CompletionOptions, Extent, GrammarMode, Sampling
from keyturn.daemon.completion.completer import Completer
from keyturn.daemon.completion.request import InfillRequest
from keyturn.models.decoding import decode
from keyturn.models.prompts.fim import PromptBuilder
from support.daemon.model_engines import tiny_engine
from support.editors.everyday import Situation, situations
from support.models.scripted import Scripted

SITUATIONS = [s for file in ("situations.txt", "held_out.txt") for s in situations(file)]


def lines_for(situation: Situation, chance: random.Random) -> list[str]:
    """Lines of files in its language and its own, some as they are and some as if typed there."""
    ending = situation.name.rpartition(".")[2]
    alike = [s for s in SITUATIONS if s.name.endswith(ending)]
    there = [line for s in alike for line in (s.prefix + s.suffix).splitlines()]
    some = chance.sample(there, min(len(there), chance.randint(1, 4)))
    indent = situation.line if not situation.line.strip() else ""
    return some + [line.strip() for line in some] + [indent + line.strip() for line in some]


def check(engine: Completer, seed: int, patch: pytest.MonkeyPatch) -> int:
    """One completion, perhaps cancelled in the middle; how many pieces it came in."""
    chance = random.Random(seed)
    situation = chance.choice(SITUATIONS)
    lines, tokenizer = lines_for(situation, chance), engine.loaded.tokenizer
    stop = min(PromptBuilder(tokenizer).stops)
    patch.setattr(
        decode, "Verifier", lambda *given: Scripted(tokenizer, lines, seed, stop, given[5])
    )
    options = CompletionOptions(
        max_tokens=chance.choice([20, 60, 100, 200]),
        extent=chance.choice(list(Extent)),
        grammar=chance.choice([GrammarMode.EXACT, GrammarMode.OFF, GrammarMode.OFF]),
        sampling=chance.choice([Sampling(), Sampling(), Sampling(temperature=1.0, seed=seed)]),
    )
    left = iter(range(chance.choice([100_000, chance.randint(1, 200)])))
    pieces: list[str] = []
    request = InfillRequest(
        situation.prefix,
        situation.suffix,
        situation.name,
        options,
        cancelled=lambda: next(left, None) is None,
        stream=pieces.append,
    )
    found = engine.complete(request)
    assert "".join(pieces) == found.text, (seed, request)
    return len(pieces)


def test_what_is_streamed_is_what_is_said_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny_engine()
    pieces = [check(engine, seed, monkeypatch) for seed in range(80)]
    assert sum(count > 1 for count in pieces) > 4  # or nothing was tested


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_so_it_is_in_thousands_of_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tiny_engine()
    for seed in range(1000, 4000):
        check(engine, seed, monkeypatch)
