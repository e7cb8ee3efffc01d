"""Servers that are not ours, as they really answered: vLLM, llama-cpp-python and transformers, with
the default model, recorded once; and what their documents (or sources) say of a request.
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from keyturn.api.request import Extent, Sampling
from keyturn.daemon.foreign.address import Kind
from keyturn.daemon.remote.errors import ServerAway, ServerError, ServerRefuses
from support.daemon.completions_server import Token, Written, serving
from support.daemon.foreign_questions import ask
from support.daemon.replayed_server import Replayed, replaying

HERE = Path(__file__).parent
SERVERS = sorted(path.name for path in (HERE / "recorded").iterdir())
MEAN = "def mean(values):\n    total = sum(values)\n    ret", "\n\n\ndef other():\n    pass\n"
SIGN = "def sign(x):\n    if x > 0:\n        return 1\n    ", "\n    return 0\n"


def schema(server: str, what: str) -> dict[str, Any]:
    found = json.loads((HERE / "schemas" / f"{server}.json").read_text(encoding="utf-8"))
    return {**found["$defs"][what], "$defs": found["$defs"]}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("name", "code", "extent", "text"),
    [
        ("line", MEAN, Extent.LINE, " = total / len(values)"),
        ("auto", SIGN, Extent.AUTO, "elif x < 0:\n        return -1\n    else:\n        return 0"),
    ],
)
def test_it_is_asked_as_it_was_and_read_rightly(
    server: str, name: str, code: tuple[str, str], extent: Extent, text: str
) -> None:
    with replaying(HERE / "recorded" / server / f"{name}.json") as replayed:
        (found,) = ask(replayed, *code, extent=extent).completions
    assert replayed.differs == []
    assert replayed.served == len(replayed.exchanges)
    assert found.text == text
    if server.startswith("transformers"):
        assert found.confidence is None  # it says nothing of its tokens
    else:
        assert found.confidence is not None
        likely = found.confidence.first_line(found.text)
        assert 0.3 < likely < 0.95


@pytest.mark.parametrize("server", SERVERS[:1] + SERVERS[2:])
@pytest.mark.parametrize(
    ("name", "errors", "said"),
    [
        ("wrong-key", ServerRefuses, "wants another key"),
        ("too-long", ServerError, "maximum context length|cut its answer off"),
    ],
)
def test_its_refusals_are_said_in_its_words(
    server: str, name: str, errors: type[ServerError], said: str
) -> None:
    with (
        replaying(HERE / "recorded" / server / f"{name}.json") as replayed,
        pytest.raises(errors, match=said) as caught,
    ):
        ask(replayed)
    assert "None" not in str(caught.value)


def test_what_vllm_was_asked_and_answered_is_by_its_schema() -> None:
    for name in ("line", "auto"):
        replayed = Replayed.of(HERE / "recorded" / "vllm-0.32.0" / f"{name}.json")
        for asked in replayed.asked:
            jsonschema.validate(asked, schema("vllm", "request"))
        for event in replayed.events:
            jsonschema.validate(event, schema("vllm", "chunk"))


@pytest.mark.parametrize("server", ["vllm", "sglang"])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.7, top_p=0.9, min_p=0.1, seed=2**62)])
def test_what_servers_are_asked_is_by_their_schemas(server: str, sampling: Sampling) -> None:
    with serving(Written([[Token("    x\n")]], owner=server)) as written:
        ask(written, extent=Extent.LINE, sampling=sampling)
    jsonschema.validate(written.log[0], schema(server, "request"))


def test_what_ollama_is_asked_and_taken_to_answer_is_by_its_schema() -> None:
    with serving(Written([[Token("    x = 1\n")]])) as written:
        (found,) = ask(written, kind=Kind.OLLAMA, extent=Extent.LINE).completions
    assert found.text == "x = 1"
    assert written.log[0]["raw"] is True  # else its chat template is put around our prompt
    jsonschema.validate(written.log[0], schema("ollama", "generateRequest"))
    for line in written.streamed:
        jsonschema.validate(json.loads(line), schema("ollama", "generateChunk"))


def test_sglang_says_errors_without_a_table_around_them() -> None:
    body = {"object": "error", "message": "the model is asleep", "type": "x", "code": 400}
    with (
        serving(Written([[]], status=400, error=body)) as written,
        pytest.raises(ServerRefuses, match="the model is asleep"),
    ):
        ask(written)


def test_tokens_that_come_together_are_told_apart() -> None:
    tokens = [Token("    ", 0.99), Token("total", 0.5, {"x": 0.4}), Token(" = 1", 0.9)]
    with serving(Written([[*tokens, Token("\n")]])) as written:
        (one,) = ask(written, extent=Extent.LINE).completions
    with serving(Written([[*tokens, Token("\n")]], together=4)) as written:
        (same,) = ask(written, extent=Extent.LINE).completions
    assert same.text == one.text == "total = 1"
    assert same.confidence == one.confidence
    assert same.meta.generated_tokens == one.meta.generated_tokens == 4


@pytest.mark.parametrize("logprob", ["NaN", "Infinity", "5.0", '"x"', "null"])
def test_what_is_no_probability_makes_nobody_sure(logprob: str) -> None:
    known = f'"tokens": ["    x"], "token_logprobs": [{logprob}], "top_logprobs": [{{}}]'
    choice = f'"text": "    x", "finish_reason": "stop", "logprobs": {{{known}}}'
    raw = f'data: {{"choices": [{{{choice}}}]}}\n\n'
    with serving(Written([[]], raw=raw)) as written:
        (found,) = ask(written, extent=Extent.LINE).completions
    assert (found.text, found.confidence) == ("x", None)


def test_an_answer_with_a_piece_that_cannot_be_read_is_none() -> None:
    event = 'data: {"choices": [{"text": "%s", "finish_reason": %s}]}\n\n'
    raw = event % ("    not", "null") + 'data: {"choices": [{"te\n\n' + event % (" done", '"stop"')
    with (
        serving(Written([[]], raw=raw)) as written,
        pytest.raises(ServerAway, match="cannot be read"),
    ):
        ask(written)


def test_of_several_answers_only_the_first_is_taken_and_only_text() -> None:
    choices = '[{"index": 1, "text": "QQ"}, {"index": 0, "text": "    x"}, {"index": 0, "text": 5}]'
    end = '[{"index": 0, "text": "", "finish_reason": "stop"}]'
    raw = "".join(f'data: {{"choices": {each}}}\n\n' for each in (choices, end))
    with serving(Written([[]], raw=raw)) as written:
        assert ask(written, extent=Extent.LINE).completions[0].text == "x"


def test_half_a_character_is_no_token_and_no_alternative() -> None:
    """Servers write it as they like: nothing of it is put into a text."""
    wrong = [Token("    x = f(a"), Token(" ]", 0.5, {"\ufffd": 0.3, "\u00f0\u009f": 0.2, ")": 0.1})]
    with serving(Written([wrong, [Token("\n")]])) as written:
        assert ask(written, extent=Extent.LINE).completions[0].text == "x = f(a)"


@pytest.mark.parametrize("kind", [Kind.OPENAI, Kind.OLLAMA])  # llama.cpp knows its model's
def test_a_marker_in_the_text_is_the_end(kind: Kind) -> None:
    with serving(Written([[Token("    x = 1"), Token("<|file_sep|>b.py\nimport c\n")]])) as written:
        assert ask(written, kind=kind).completions[0].text == "x = 1"


@pytest.mark.parametrize(
    ("kind", "reason"), [*((kind, None) for kind in Kind), (Kind.OPENAI, "abort")]
)
def test_an_answer_that_was_cut_off_is_not_shown(kind: Kind, reason: str | None) -> None:
    with (
        serving(Written([[Token("    x = ")]], reason=reason)) as written,
        pytest.raises(ServerAway, match="cut its answer off"),
    ):
        ask(written, kind=kind)


def test_a_server_that_cuts_one_answer_off_for_another_is_asked_for_one_at_a_time() -> None:
    answers = [[Token(f"    total = {n}\n")] for n in range(9)]
    with serving(Written(answers, pause=0.05, at_once=1)) as written:
        found = ask(written, extent=Extent.LINE, candidates=3).completions
    assert len({each.text for each in found}) == 3
    assert written.most_at_once > 1


def test_what_never_ends_a_line_is_not_read_for_ever() -> None:
    with (
        serving(Written([[]], raw="data: " + "x" * 3_000_000)) as written,
        pytest.raises(ServerRefuses, match="in one line"),
    ):
        ask(written)


@pytest.mark.parametrize("kind", list(Kind))
def test_what_never_ends_is_not_read_for_ever(kind: Kind) -> None:
    with (
        serving(Written([[]], raw="\n" * 40_000_000)) as written,
        pytest.raises(ServerRefuses, match="more than anybody reads"),
    ):
        ask(written, kind=kind)


def test_an_error_in_the_stream_is_said_in_printable_words() -> None:
    raw = '\ufeffdata: {"error": {"message": "\\u001b[31mout of memory"}}\n\n'
    with (
        serving(Written([[]], raw=raw)) as written,
        pytest.raises(ServerAway, match="�\\[31mout of memory"),
    ):
        ask(written)


def test_a_family_may_be_said_where_a_name_does_not() -> None:
    with serving(Written([[Token("    x\n")]], model="our-model")) as written:
        url, written.url = written.url, f"{written.url}/v1?family=qwen"
        (found,) = ask(written, suffix="", extent=Extent.LINE).completions
        assert found.text == "x"
        written.url = url
        with pytest.raises(Exception, match=r"\?family=qwen"):
            ask(written)
