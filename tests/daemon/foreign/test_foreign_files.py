"""Suggestions from somebody else's server: ended, held to the grammar and judged like ours."""

import asyncio
import builtins
import re
import time

import pytest

from keyturn.api.report import Finish
from keyturn.api.request import Extent, GrammarMode, Sampling
from keyturn.cache.errors import InputError
from keyturn.daemon.foreign.address import Address, Kind, template_of
from keyturn.daemon.foreign.foreign_files import ForeignFiles
from keyturn.daemon.remote.errors import ServerAway, ServerBusy, ServerError, ServerRefuses
from support.daemon.completions_server import MODEL, Token, Written, serving
from support.daemon.foreign_questions import LEFT, ask, said


def tokens(text: str) -> list[Token]:
    return [Token(each) for each in re.findall(r"\s*\w+|\s*[^\w\s]|\s+", text)]


@pytest.mark.parametrize("kind", list(Kind))
def test_it_goes_on_until_the_code_below_can_follow_and_the_stream_is_closed_there(
    kind: Kind,
) -> None:
    text = "if shape:\n        total = 1\n    else:\n        total = 2\n"
    endless = tokens(f"    {text}    x = 3\n" + "y = 4\n" * 500)
    with serving(Written([endless], pause=0.001)) as written:
        reply = ask(written, kind=kind, extent=Extent.AUTO)
        assert said(reply)[0].startswith(text.rstrip())
        assert "return" not in said(reply)[0]
        sent = written.sent
        time.sleep(0.3)
        assert written.sent <= sent + 5  # nobody reads the rest
        assert reply.completions[0].meta.grammar.mode is GrammarMode.EXACT


@pytest.mark.parametrize("style", ["openai", "llama.cpp"])
def test_what_the_server_says_of_its_tokens_becomes_confidence(style: str) -> None:
    sure = [Token("    ", 0.99), Token("total", 0.98), Token(" =", 0.99), Token(" 1", 0.97)]
    unsure = [Token(each.text, 0.4, {"?": 0.35}) for each in sure]
    likely = []
    for answer in (sure, unsure):
        with serving(Written([[*answer, Token("\n", 0.9)]], style=style)) as written:
            (found,) = ask(written, extent=Extent.LINE).completions
            assert found.text == "total = 1"
            assert found.confidence is not None
            likely.append(found.confidence.first_line(found.text))
    assert likely[0] > 0.6 > 0.3 > likely[1]


def test_where_it_says_nothing_of_them_nobody_judges() -> None:
    with serving(Written([tokens("    total = 1\n")], style="")) as written:
        (found,) = ask(written, extent=Extent.LINE).completions
    assert (found.text, found.confidence) == ("total = 1", None)


def test_what_the_grammar_refuses_is_asked_for_again_behind_the_next_best() -> None:
    wrong = [*tokens("    total = f(shape"), Token(" ]", 0.5, {" }": 0.2, ")": 0.1})]
    with serving(Written([wrong, tokens("\n")])) as written:
        reply = ask(written, extent=Extent.LINE)
    assert said(reply) == ["total = f(shape)"]
    assert reply.completions[0].meta.grammar.refused == 1
    assert written.log[1]["prompt"].endswith("    total = f(shape)")


def test_where_nothing_else_was_named_it_ends_with_what_may_stand() -> None:
    wrong = [*tokens("    total = 1\n    rest = f(shape"), Token(" ]")]
    with serving(Written([wrong])) as written:
        assert said(ask(written, extent=Extent.BLOCK)) == ["total = 1"]
    assert len(written.log) == 1


def test_a_server_that_is_always_refused_is_not_asked_for_ever() -> None:
    wrong = [Token(" ]", 0.5, {" x": 0.1})]
    with serving(Written([tokens("    x"), wrong])) as written:
        ask(written, extent=Extent.LINE)
        wrong_only = Written([wrong])
    with serving(wrong_only):
        ask(wrong_only, "x = (1 +", ")\n", extent=Extent.LINE)
    assert len(wrong_only.log) <= 12


def test_the_word_at_the_cursor_is_repeated_by_the_server_or_asked_for_without() -> None:
    with serving(Written([tokens("return"), tokens("return total\n")])) as written:
        assert said(ask(written, LEFT + "ret", "\n", extent=Extent.LINE)) == ["urn"]
        assert written.log[0]["prompt"].endswith("    ")
    with serving(Written([tokens("raise E\n"), tokens("urn total\n")])) as written:
        assert said(ask(written, LEFT + "ret", "\n", extent=Extent.LINE)) == ["urn total"]
        assert written.log[1]["prompt"].endswith("    ret")


def test_several_candidates_differ_and_the_first_is_the_likeliest() -> None:
    answers = [tokens(f"    total = {n}\n") for n in (1, 2, 2)]
    with serving(Written(answers)) as written:
        found = said(ask(written, extent=Extent.LINE, candidates=3))
    assert set(found) == {"total = 1", "total = 2"}
    assert sorted(each["temperature"] for each in written.log) == [0.0, 0.7, 0.7]


def test_the_key_is_sent_and_the_seed_and_the_temperature() -> None:
    with serving(Written([tokens("    x\n")])) as written:
        ask(written, token="secret", sampling=Sampling(temperature=0.5, seed=7))
    assert written.authorization == "Bearer secret"
    assert (written.log[0]["temperature"], written.log[0]["seed"]) == (0.5, 7)
    assert written.log[0]["model"] == MODEL


def test_all_of_the_sampling_is_sent_and_nothing_that_is_usual() -> None:
    wished = Sampling(temperature=0.5, top_p=0.9, min_p=0.1, seed=7)
    for kind in Kind:
        with serving(Written([tokens("    x\n")])) as written:
            ask(written, kind=kind, sampling=wished)
            ask(written, kind=kind)
        first, last = (each.get("options", each) for each in (written.log[0], written.log[-1]))
        assert (first["top_p"], first["min_p"]) == (0.9, 0.1)
        assert last["top_p"] == 1.0  # what servers take for usual differs
        assert "min_p" not in last


def test_once_the_time_is_over_it_ends_with_what_there_is() -> None:
    text = "    # " + " ".join(dir(builtins))  # words that do not go in circles
    with serving(Written([tokens(text)], pause=0.02)) as written:
        (found,) = ask(written, extent=Extent.LINE, max_tokens=4_000, decode_ms=500).completions
    assert found.meta.finish is Finish.DEADLINE
    assert found.text.startswith("#")
    assert written.sent < len(dir(builtins))


def test_what_is_put_in_place_of_a_refusal_may_be_the_end() -> None:
    wrong = [*tokens("    total = f(shape)"), Token(" ]", 0.5, {"\n": 0.2})]
    with serving(Written([wrong])) as written:
        assert said(ask(written, extent=Extent.LINE)) == ["total = f(shape)"]
    assert len(written.log) == 1


def test_prompts_of_one_key_after_another_begin_alike() -> None:
    text = "".join(f"value_{n} = {n}\n" for n in range(2_000))
    with serving(Written([tokens("x\n")])) as written:
        for typed in ("v", "va", "val", "valu"):
            ask(written, text + typed, "\n" + text, extent=Extent.LINE)
    first, last = written.log[0]["prompt"], written.log[-1]["prompt"]
    shared = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    assert shared is None or shared > 0.99 * len(first)
    assert 5_000 < len(first) < 3 * 2048 + 200


@pytest.mark.parametrize(
    ("status", "headers", "error", "message"),
    [
        (401, {}, ServerRefuses, "KEYTURN_TOKEN"),
        (404, {}, ServerRefuses, "no such model or address"),
        (429, {"retry-after": "7"}, ServerBusy, "written beforehand"),
        (400, {}, ServerRefuses, "written beforehand"),
        (503, {}, ServerAway, "not ready"),
        (500, {}, ServerAway, "written beforehand"),
    ],
)
def test_what_the_server_refuses_is_said_in_its_words(
    status: int, headers: dict[str, str], error: type[ServerError], message: str
) -> None:
    with (
        serving(Written([[]], status=status, headers=headers)) as written,
        pytest.raises(error, match=message) as caught,
    ):
        ask(written)
    if isinstance(caught.value, ServerBusy):
        assert caught.value.seconds == 7.0


def test_a_server_that_is_not_there_is_away() -> None:
    with pytest.raises(ServerAway, match="cannot be reached"):
        ask(Written([[]], url="http://127.0.0.1:9"))


def test_a_model_that_the_server_has_not_is_said_with_those_that_it_has() -> None:
    with serving(Written([[]])) as written:
        files = ForeignFiles(Address.of(f"openai+{written.url}/v1#qwen-other"), None, 2048)

        async def look() -> None:
            try:
                await files.look()
            finally:
                await files.close()

        with pytest.raises(ServerRefuses, match=f"no model 'qwen-other', but {MODEL}"):
            asyncio.run(look())


@pytest.mark.parametrize(
    "name",
    ["openai+", "openai+ftp://x", "other+http://x", "llama.cpp+http://", "openai+http://x:y/v1",
     "openai+http://[::1/v1"],
)  # fmt: skip
def test_what_is_no_address_is_said(name: str) -> None:
    with pytest.raises(InputError, match=r"openai\+http://host:port/v1#model"):
        Address.of(name)


def test_a_model_whose_marks_nobody_knows_is_said() -> None:
    assert template_of("Qwen/Qwen2.5-Coder-7B").family == "qwen"
    assert template_of("ibm-granite/granite-4.0-h-tiny").family == "granite4"
    with pytest.raises(InputError, match="nobody knows how 'gpt-4'"):
        template_of("gpt-4")
    with pytest.raises(InputError, match="nobody knows"):
        ForeignFiles(Address.of("openai+http://x/v1#gpt-4"), None, 2048)
