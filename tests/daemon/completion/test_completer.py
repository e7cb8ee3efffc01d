"""The engine: requests in, finished suggestions out, on a tiny random model."""

import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.api.report import Finish
from keyturn.api.request import CompletionOptions, Extent, GrammarMode, Sampling
from keyturn.cache.plan import Repair
from keyturn.daemon.completion.completer import Completer
from keyturn.daemon.completion.request import Found, InfillRequest
from keyturn.daemon.file_text import FileText
from keyturn.models.decoding import decode
from keyturn.models.decoding.trim import trim
from keyturn.models.prompts.fim import PromptBuilder
from keyturn.models.tokenizer.bpe import Tokenizer
from support.daemon.model_engines import tiny_engine, tiny_loaded
from support.models.scripted import Scripted
from support.models.tiny_tokenizer import PAGE

SAMPLED = Sampling(temperature=2.0, seed=5)


@pytest.fixture(scope="module")
def engine() -> Completer:
    return tiny_engine()


def ask(engine: Completer, prefix: str, suffix: str = "", **more) -> Found:
    request = {name: more.pop(name) for name in ("deadline", "newline", "path") if name in more}
    # off: a random model has nothing to say that Python would take
    defaults = {"max_tokens": 12, "extent": Extent.ALL, "sampling": SAMPLED}
    options = CompletionOptions(**{"grammar": GrammarMode.OFF, **defaults, **more})
    return engine.complete(
        InfillRequest(prefix, suffix, **{"path": "a.py", **request}, options=options)
    )


def test_the_same_request_gives_the_same_answer_whatever_came_between(engine: Completer) -> None:
    first = ask(engine, PAGE, "\nx = 1\n")
    ask(engine, "something else", "entirely")
    again = ask(engine, PAGE, "\nx = 1\n")
    fresh = ask(tiny_engine(), PAGE, "\nx = 1\n")
    assert first.text
    assert first.candidates == again.candidates == fresh.candidates


def test_a_file_that_no_grammar_could_read_in_time_is_completed_without_one_at_once(
    engine: Completer,
) -> None:
    found = ask(engine, "x = 1\n" * 100_000 + "x = ", grammar=GrammarMode.EXACT)
    assert found.text
    assert found.meta.grammar.mode is GrammarMode.OFF
    assert "500,000 characters" in found.meta.grammar.reason
    assert found.meta.grammar.took_ms < 1_000  # no process was asked


def test_another_seed_gives_another_answer(engine: Completer) -> None:
    texts = {
        ask(engine, PAGE, sampling=Sampling(temperature=2.0, seed=seed)).text for seed in range(4)
    }
    assert len(texts) > 1


def test_a_request_that_starts_like_the_last_one_reuses_it(engine: Completer) -> None:
    ask(engine, PAGE)
    more = ask(engine, PAGE + "\ndef ")
    assert more.meta.prompt_tokens - more.meta.reused_tokens < 8
    assert ask(engine, "no").meta.reused_tokens < 4


def test_every_file_can_have_a_session_of_its_own(engine: Completer) -> None:
    one, other = engine.new_session(), engine.new_session()
    request = InfillRequest(
        PAGE, options=CompletionOptions(max_tokens=4, sampling=SAMPLED), path="a.py"
    )
    first = engine.complete(request, session=one)
    engine.complete(InfillRequest("x = 2"), session=other)
    again = engine.complete(request, session=one)
    assert again.meta.reused_tokens == first.meta.prompt_tokens - 1
    assert again.candidates == first.candidates == engine.complete(request).candidates


def test_a_session_says_what_an_edit_cost() -> None:
    engine = tiny_engine(repair=Repair(exact=8))
    session = engine.new_session()
    assert engine.complete(InfillRequest(PAGE, PAGE), session=session).meta.cache is not None
    edited = engine.complete(InfillRequest("import os\n" + PAGE, PAGE), session=session)
    assert edited.meta.cache is not None
    assert edited.meta.cache.encoded < edited.meta.prompt_tokens
    assert edited.meta.reused_tokens == edited.meta.prompt_tokens - edited.meta.cache.encoded
    assert edited.meta.cache.carried > 50
    assert 0 < edited.meta.cache.stale_share < 1
    while session.refresh(64):
        pass
    assert session.staleness().share == 0


@given(edits=st.lists(st.tuples(st.integers(0, 700), st.text("ab \n(", max_size=5)), max_size=4))
@settings(max_examples=20, deadline=None)
def test_a_refreshed_session_answers_like_an_engine_without_one(edits) -> None:
    engine = tiny_engine()
    session, text = engine.new_session(), PAGE
    for offset, new in [(300, ""), *edits]:
        offset = min(offset, len(text))
        text = text[:offset] + new + text[offset:]
        request = InfillRequest(
            text[:offset], text[offset:], options=CompletionOptions(max_tokens=6)
        )
        engine.complete(request, session=session)
        while session.refresh(64):
            pass
        session.sequence.check_integrity()
        assert (
            engine.complete(request, session=session).candidates
            == tiny_engine().complete(request).candidates
        )


def test_several_candidates_are_distinct_and_the_first_is_the_only_one_of_a_single_request(
    engine: Completer,
) -> None:
    for sampling in (Sampling(), SAMPLED):
        one = ask(engine, PAGE, sampling=sampling)
        many = ask(engine, PAGE, sampling=sampling, candidates=4)
        texts = [candidate.text for candidate in many.candidates]
        assert len(texts) == len(set(texts)) == 4
        assert texts[0] == one.text


def test_the_prefill_is_shared_by_all_candidates(engine: Completer) -> None:
    session = engine.new_session()
    request = InfillRequest(
        PAGE,
        options=CompletionOptions(max_tokens=3, sampling=SAMPLED, candidates=4, extent=Extent.ALL),
    )
    ran: list[int] = []
    model = engine.loaded.model
    run = model.run

    def counting(hidden, *more):
        ran.append(len(hidden))
        return run(hidden, *more)

    model.run = counting  # type: ignore[method-assign]
    try:
        done = engine.complete(request, session=session)
    finally:
        del model.run
    assert sum(ran) <= done.meta.prompt_tokens + done.meta.generated_tokens


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["", "x = ", "def f():", "def f():\n    ", PAGE]),
    st.sampled_from(["", "\n", ")", "\n    return 1\n"]),
    st.integers(0, 1000),
    st.sampled_from(Extent),
    st.sampled_from(["", "a.py"]),
    st.sampled_from([0.0, 3.0]),
)
def test_what_is_streamed_is_what_is_returned(
    engine: Completer, prefix: str, suffix: str, seed: int, extent: Extent, path: str, warmth: float
) -> None:
    pieces: list[str] = []
    request = InfillRequest(
        prefix,
        suffix,
        path,
        CompletionOptions(
            max_tokens=30, extent=extent, sampling=Sampling(temperature=warmth, seed=seed)
        ),
    )
    done = engine.complete(replace(request, stream=pieces.append))
    assert "".join(pieces) == done.text


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1000), st.sampled_from(["", "    return 1", ")"]))
def test_suggestions_are_trimmed_text_with_the_files_line_ends(
    engine: Completer, seed: int, below: str
) -> None:
    more = {"max_tokens": 30, "sampling": Sampling(temperature=3.0, seed=seed)}
    unix = ask(engine, "def f():\n    ", f"\n{below}\n", **more)
    windows = ask(engine, "def f():\n    ", f"\n{below}\n", newline="\r\n", **more)
    assert windows.text == unix.text.replace("\n", "\r\n")
    assert trim(unix.text, "def f():\n    ", f"\n{below}\n") == unix.text


def test_nothing_to_suggest_is_no_candidate(engine: Completer) -> None:
    """Among many samples of one token some are blank, and some end the completion at once."""
    done = [ask(engine, "x", "\n", extent=Extent.LINE, max_tokens=1, sampling=Sampling(3.0, seed=s))
            for s in range(200)]  # fmt: skip
    empty = [completion for completion in done if not completion.candidates]
    assert empty
    assert all(completion.text == "" for completion in empty)


def test_a_cancel_before_the_start_gives_nothing_and_says_so(engine: Completer) -> None:
    done = engine.complete(InfillRequest(PAGE, cancelled=lambda: True))
    assert (done.meta.finish, done.candidates) == (Finish.CANCELLED, ())


def test_a_cancel_on_the_way_gives_what_there_is_by_then(engine: Completer) -> None:
    looks = iter(range(1000))
    request = InfillRequest(
        "x = ", options=CompletionOptions(max_tokens=50, extent=Extent.ALL, sampling=SAMPLED)
    )
    done = engine.complete(replace(request, cancelled=lambda: next(looks) > 10))
    assert done.meta.finish is Finish.CANCELLED
    assert 0 < done.meta.generated_tokens <= 10


def test_a_deadline_in_the_past_gives_nothing_and_says_so(engine: Completer) -> None:
    done = engine.complete(InfillRequest(PAGE, deadline=time.monotonic()))
    assert (done.meta.finish, done.candidates) == (Finish.DEADLINE, ())


def test_after_a_cancel_the_engine_goes_on_as_before(engine: Completer) -> None:
    want = ask(tiny_engine(), PAGE).candidates
    looks = iter(range(1000))
    engine.complete(InfillRequest(PAGE * 2, cancelled=lambda: next(looks) > 1))
    assert ask(engine, PAGE).candidates == want


@pytest.mark.parametrize("context_tokens", [64, 200, 100_000])
def test_prompt_and_completion_fit_the_context(context_tokens: int) -> None:
    engine = tiny_engine(context_tokens=context_tokens)
    limit = min(context_tokens, tiny_loaded().config.context_tokens)
    done = ask(engine, PAGE * 40, PAGE * 40, max_tokens=500)
    assert done.meta.prompt_tokens + done.meta.generated_tokens <= limit
    assert done.meta.prompt_tokens > limit // 4


@pytest.mark.parametrize(
    ("prefix", "suffix"),
    [
        ("", ""),
        (PAGE * 4000, PAGE * 4000),  # megabytes
        ("x = [" + "1, " * 70_000, "]"),  # a line of 200 kB
        ("", "y" * 200_000),
        ("\t\tif x:\r\n\t\t\t", "\r\n"),
        ("<|fim_middle|><|endoftext|>", "<|fim_prefix|>"),
        ("日本 = '😀", "'"),
    ],
)
def test_odd_files_get_an_answer(engine: Completer, prefix: str, suffix: str) -> None:
    done = ask(engine, prefix, suffix)
    assert done.meta.finish in (Finish.EOS, Finish.LINES, Finish.TOKENS)
    assert done.meta.prompt_tokens <= 2048


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\r\n",
        "\ufeff\n",
        "#!/bin/sh\n",
        "#!/bin/sh\r\n\r\n",
        "# Copyright 2026 Ada Lovelace\n",
        "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\n\n",
        "// SPDX-License-Identifier: MIT\r\n\r\n// Copyright 2026 Ada Lovelace\r\n",
        "/*\n * Copyright (c) 2026\n * All rights reserved.\n */\n\n",
        "# ",  # a title, or a comment
        "// Copyright 2026 Ada Lovelace\n\n// ",
        '"""',
        'if __name__ == "__main__":\n    ',
    ],
)
def test_where_the_text_says_nothing_the_model_is_not_asked(engine: Completer, text: str) -> None:
    session = engine.new_session()
    for below in ("", "\n \n"):
        read = FileText.of(text).text
        done = engine.complete(InfillRequest(read, below, "a.py"), session=session)
        assert (done.candidates, done.meta.prompt_tokens) == ((), 0)
    assert len(session.sequence) == 0


@pytest.mark.parametrize(
    ("text", "below"),
    [
        ("# License plate recogniser\n# Write a function that reads plates\n", ""),
        ("# Parse the header Content-coding: gzip\n", ""),
        ("# " + "Walk\n#\n# " * 150_000, ""),
        ("x", ""),
        ("", "\nx"),
        ("#!/bin/sh\nx", ""),
        ("#!", ""),
        ("#", ""),
        ("# the n-th Fibonacci number\n", ""),
        ("# Copyright 2026 Ada Lovelace\n\n# the n-th Fibonacci number\n", ""),
        ("# Copyright 2026 Ada Lovelace\n", "def f():\n    pass\n"),
        ("// Copyright 2026 Ada Lovelace\n#include <stdio.h>\n", ""),
        ("# Demo\n\n", ""),
        ('def main():\n    pass\n\n\nif __name__ == "__main__":\n    ', ""),
    ],
)
def test_where_it_says_anything_it_is(engine: Completer, text: str, below: str) -> None:
    assert ask(engine, text, below).meta.prompt_tokens > 0


def test_a_greedy_suggestion_says_how_likely_each_of_its_tokens_was(engine: Completer) -> None:
    found = ask(engine, PAGE, "\nx = 1\n", sampling=Sampling())
    for candidate in found.candidates:
        assert candidate.confidence is not None
        chances = [each.odds.chance for each in candidate.said]
        assert all(0.0 < chance <= 1.0 for chance in chances)
        assert all(each.odds.rival <= each.odds.chance for each in candidate.said)
        assert (
            b"".join(each.data for each in candidate.said)
            .decode()
            .startswith(candidate.generated.rstrip())
        )


@pytest.mark.parametrize("prefix", [PAGE, PAGE + "    ret", PAGE + "    return x."])
def test_the_odds_are_the_same_with_a_grammar_that_refuses_nothing(
    engine: Completer, prefix: str
) -> None:
    """A language without a grammar's mistakes: a comment, in which everything may stand."""
    prefix += "  # "
    plain = ask(engine, prefix, "\n", sampling=Sampling(), extent=Extent.LINE)
    guided = ask(
        engine, prefix, "\n", sampling=Sampling(), extent=Extent.LINE, grammar=GrammarMode.EXACT
    )
    assert guided.meta.grammar.refused == 0
    assert [each.text for each in plain.candidates] == [each.text for each in guided.candidates]
    for one, other in zip(plain.candidates, guided.candidates, strict=True):
        pairs = zip(one.said, other.said, strict=True)
        for a, b in pairs:
            assert a.data == b.data
            assert a.odds.chance == pytest.approx(b.odds.chance, rel=0.02)  # of 256 best, or so
            assert a.odds.rival == pytest.approx(b.odds.rival, rel=0.02)


def test_of_what_was_drawn_at_random_nobody_says_how_likely_it_is_right(engine: Completer) -> None:
    found = ask(engine, PAGE, "\nx = 1\n")
    assert found.text
    assert all(candidate.confidence is None for candidate in found.candidates)


class Writes(Scripted):
    """Likes one text best."""

    def __init__(self, text: str, tokenizer: Tokenizer, stop: int, *rest) -> None:
        super().__init__(tokenizer, [], 0, stop, *rest)
        self._text = text.encode()

    def _following(self, written: bytes, rank: int) -> int:
        if rank == 0 and self._text.startswith(written) and len(written) < len(self._text):
            return self._tokens[self._text[len(written) : len(written) + 1]]
        return self._stop


@pytest.mark.parametrize(("extent", "shown"), [
    (Extent.LINE, "    total = 0"),
    (Extent.FITTING, "    total = 0\n    for each in values:"),
    (Extent.AUTO, "    total = 0\n    for each in values:"),
    (Extent.BLOCK, "    total = 0\n    for each in values:"),
])  # fmt: skip
def test_a_suggestion_goes_on_until_the_code_below_can_follow(
    engine: Completer, monkeypatch: pytest.MonkeyPatch, extent: Extent, shown: str
) -> None:
    """Not where only the rest of the line is wanted."""
    tokenizer = engine.loaded.tokenizer
    stop = min(PromptBuilder(tokenizer).stops)
    text = "    total = 0\n    for each in values:\n        total += each\nx = 1\n"
    monkeypatch.setattr(decode, "Verifier", lambda *given: Writes(text, tokenizer, stop, given[5]))
    answer = ask(
        engine, "def f(values):\n", "\n        total += each\n    return total\n",
        sampling=Sampling(), max_tokens=200, extent=extent, grammar=GrammarMode.EXACT,
    )  # fmt: skip
    assert answer.text == shown
    assert answer.meta.grammar.restarts == 0


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_who_types_is_told_where_a_suggestion_may_be_cut(
    engine: Completer, monkeypatch: pytest.MonkeyPatch, newline: str
) -> None:
    tokenizer = engine.loaded.tokenizer
    stop = min(PromptBuilder(tokenizer).stops)
    text = "    if a:\n        g()\n    else:\n        h()\n    f()\nx = 1\n"
    monkeypatch.setattr(decode, "Verifier", lambda *given: Writes(text, tokenizer, stop, given[5]))
    wanted = {"sampling": Sampling(), "max_tokens": 200, "extent": Extent.BLOCK}
    request = InfillRequest("def f():\n", "\n    return 1\n", "a.py", newline=newline)
    asked = request.with_options(**wanted, line_ms=1_000_000)
    found = engine.complete(asked).candidates[0]
    assert found.confidence is not None
    lines = found.text.split(newline)
    assert lines[-1] == "    f()"
    assert found.confidence.ends == tuple(len(newline.join(lines[:n])) for n in (2, 4))
    by_hand = engine.complete(request.with_options(**wanted)).candidates[0]
    assert by_hand.text == found.text
    assert by_hand.confidence is not None
    assert by_hand.confidence.ends is None


def test_what_no_line_makes_fit_is_suggested_up_to_its_first_line(
    engine: Completer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = engine.loaded.tokenizer
    stop = min(PromptBuilder(tokenizer).stops)
    text = "    total = 0\nx = 1\n" + "".join(f"y{n} = {n}\n" for n in range(30))
    monkeypatch.setattr(decode, "Verifier", lambda *given: Writes(text, tokenizer, stop, given[5]))
    answer = ask(
        engine, "def f(values):\n", "\n        total += each\n    return total\n",
        sampling=Sampling(), max_tokens=400, extent=Extent.BLOCK, grammar=GrammarMode.EXACT,
    )  # fmt: skip
    assert answer.text == "    total = 0"
