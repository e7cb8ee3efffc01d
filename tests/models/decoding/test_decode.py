"""The decoding loop, on a tiny random model with a real tokenizer."""

import time
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.api.report import Finish
from keyturn.api.request import Sampling
from keyturn.cache.sequence import CachedSequence
from keyturn.models.decoding.decode import Decoder, Interrupted, Stops, Token
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.decoding.stops import SingleLine, StopRule
from keyturn.models.nn.chunked_prefill import FIRST_TOKENS
from keyturn.models.nn.transformer import Transformer
from keyturn.models.prompts.fim import Prompt, PromptBuilder, PromptOptions
from keyturn.models.speculative.round import shared
from support.models.tiny import oracle, oracle_logits, ours
from support.models.tiny_tokenizer import PAGE, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
REFERENCE = oracle("qwen2", vocab_size=TOKENIZER.vocabulary, max_position_embeddings=2048)
MODEL = ours(REFERENCE)
BUILDER = PromptBuilder(TOKENIZER)
GREEDY = Sampler(Sampling())
NOTHING_STOPS = frozenset[int]()


def never() -> bool:
    return False


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(MODEL, TOKENIZER)


@pytest.fixture
def sequence() -> CachedSequence:
    return CachedSequence(MODEL.new_arena())


def prompt_for(prefix: str, suffix: str = "", heal: bool = False) -> Prompt:
    return BUILDER.build(prefix, suffix, PromptOptions(heal=heal))


def stops(limit: int, rule: StopRule | None = None, deadline: float | None = None) -> Stops:
    more = {"rule": rule} if rule else {}
    return Stops(BUILDER.stops, limit, deadline=deadline, **more)


def oracle_greedy(tokens: tuple[int, ...], count: int) -> list[int]:
    """Token by token from transformers' logits over everything; ends with a special token."""
    made: list[int] = []
    while len(made) < count:
        made.append(int(oracle_logits(REFERENCE, [*tokens, *made])[-1].argmax()))
        if not TOKENIZER.token_bytes(made[-1]):
            break
    return made


@pytest.mark.parametrize("prefix", ["", "def push(self", "class Stack:\n    x = 1\n"])
def test_greedy_output_is_the_oracles(
    decoder: Decoder, sequence: CachedSequence, prefix: str
) -> None:
    prompt = prompt_for(prefix, "\n")
    tokens = list(decoder.decode(sequence, prompt, GREEDY, stops(20), never))
    assert [token.id for token in tokens] == oracle_greedy(prompt.tokens, 20)
    assert [token.finish for token in tokens[:-1]] == [None] * (len(tokens) - 1)
    assert tokens[-1].finish in (Finish.TOKENS, Finish.EOS)


def test_sampled_output_is_what_the_sampler_draws_from_the_oracles_logits(
    decoder: Decoder, sequence: CachedSequence
) -> None:
    sampler = Sampler(Sampling(temperature=1.5, top_p=0.95, seed=11))
    prompt = prompt_for("x = ")
    got = [token.id for token in decoder.decode(sequence, prompt, sampler, stops(12), never)]
    context = list(prompt.tokens)
    for token in got:
        assert token == sampler.draw(oracle_logits(REFERENCE, context)[-1], len(context))
        context.append(token)


def test_decoding_goes_on_from_what_the_sequence_has_already(
    decoder: Decoder, sequence: CachedSequence
) -> None:
    prompt = prompt_for(PAGE)
    fresh = list(decoder.decode(sequence, prompt, GREEDY, stops(8), never))
    ran = []
    run = MODEL.run

    class Counting(Transformer):
        def __init__(self) -> None:
            self.__dict__ = MODEL.__dict__

        def run(self, hidden, *more):  # type: ignore[override]
            ran.append(len(hidden))
            return run(hidden, *more)

    again = Decoder(Counting(), TOKENIZER)
    other = prompt_for(PAGE + "\n")
    list(again.decode(sequence, other, GREEDY, stops(1), never))
    assert sum(ran) <= 4  # the end of the prompt, not the whole of it
    assert list(again.decode(sequence, prompt, GREEDY, stops(8), never)) == fresh


def test_a_special_token_ends_the_completion_and_is_no_text(
    decoder: Decoder, sequence: CachedSequence
) -> None:
    prompt = prompt_for("x")
    end = TOKENIZER.special("<|fim_pad|>")
    assert end is not None
    logits = torch.zeros(TOKENIZER.vocabulary)
    logits[end] = 1
    decoder.prefill(sequence, prompt.tokens, stops(5), never)
    got = list(decoder.generate(sequence, prompt, logits, GREEDY, stops(5), never))
    assert got == [Token(end, "", Finish.EOS)]


def test_a_stop_rule_ends_the_completion(decoder: Decoder, sequence: CachedSequence) -> None:
    prompt = prompt_for("x = ")
    newline = TOKENIZER.encode("\n")[0]
    logits = torch.zeros(TOKENIZER.vocabulary)
    logits[newline] = 1
    rule = SingleLine("x = ", "")
    decoder.prefill(sequence, prompt.tokens, stops(5), never)
    got = list(decoder.generate(sequence, prompt, logits, GREEDY, stops(5, rule), never))
    assert got == [Token(newline, "", Finish.LINES)]


def test_a_first_token_can_be_given_to_fork_a_completion(
    decoder: Decoder, sequence: CachedSequence
) -> None:
    prompt = prompt_for("x = ")
    logits = decoder.prefill(sequence, prompt.tokens, stops(5), never)
    forced = TOKENIZER.encode("(")[0]
    got = list(decoder.generate(sequence, prompt, logits, GREEDY, stops(5), never, first=forced))
    assert [token.id for token in got] == [
        forced,
        *oracle_greedy((*prompt.tokens, forced), 4),
    ][: len(got)]


# region Characters and words cut in two
@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="a日😀é", min_size=1, max_size=6))
def test_a_character_is_shown_when_its_last_byte_is_there(text: str) -> None:
    """A model that spells `text` in single bytes."""
    spelled = [_byte_token(byte) for byte in text.encode()]
    got = list(_scripted(spelled, prompt_for("x = ")))
    assert "".join(token.text for token in got) == text
    assert not any("\ufffd" in token.text for token in got)


@pytest.mark.parametrize(
    "prefix", ["x = conf", "self.app", "    ret", "import o", "def f(", "    "]
)
def test_a_piece_cut_by_the_cursor_is_finished_and_not_said_again(
    decoder: Decoder, sequence: CachedSequence, prefix: str
) -> None:
    prompt = prompt_for(prefix, heal=True)
    assert prompt.pending
    tokens = list(decoder.decode(sequence, prompt, GREEDY, stops(6), never))
    said = b"".join(TOKENIZER.token_bytes(token.id) for token in tokens)
    assert said.startswith(prompt.pending)
    shown = "".join(token.text for token in tokens)
    assert said[len(prompt.pending) :].decode("utf-8", "replace").startswith(shown)


@pytest.mark.parametrize("temperature", [0.0, 1e-3])  # two ways to the same token
def test_the_first_token_of_a_healed_word_is_the_best_that_agrees(
    decoder: Decoder, sequence: CachedSequence, temperature: float
) -> None:
    prompt = prompt_for("x = conf", heal=True)
    sampler = Sampler(Sampling(temperature))
    token = next(iter(decoder.decode(sequence, prompt, sampler, stops(6), never)))
    logits = oracle_logits(REFERENCE, prompt.tokens)[-1]

    def agrees(data: bytes) -> bool:
        return data != b"" and (data.startswith(b" conf") or b" conf".startswith(data))

    possible = [t for t in range(TOKENIZER.vocabulary) if agrees(TOKENIZER.token_bytes(t))]
    assert token.id == max(possible, key=lambda t: float(logits[t]))


# endregion
# region Cancelling
def test_a_cancel_is_seen_between_two_tokens_and_leaves_the_sequence_whole(
    decoder: Decoder, sequence: CachedSequence
) -> None:
    prompt = prompt_for("x = ")
    seen: list[Token] = []
    tokens = decoder.decode(sequence, prompt, GREEDY, stops(50), lambda: len(seen) >= 3)
    with pytest.raises(Interrupted) as interrupted:
        seen.extend(tokens)
    assert interrupted.value.finish is Finish.CANCELLED
    assert len(seen) == 3
    sequence.check_integrity()
    assert sequence.tokens == [*prompt.tokens, *(token.id for token in seen[:-1])]


def test_a_cancel_cuts_into_a_long_prefill(decoder: Decoder, sequence: CachedSequence) -> None:
    prompt = prompt_for(PAGE * 3)
    assert len(prompt.tokens) > 2 * FIRST_TOKENS
    looked: list[int] = []

    def cancelled() -> bool:
        looked.append(len(sequence))
        return len(looked) == 2

    with pytest.raises(Interrupted):
        next(iter(decoder.decode(sequence, prompt, GREEDY, stops(5), cancelled)))
    assert looked == [0, FIRST_TOKENS]
    assert sequence.tokens == list(prompt.tokens[:FIRST_TOKENS])


def test_a_deadline_in_the_past_interrupts_before_any_work(
    decoder: Decoder, sequence: CachedSequence
) -> None:
    late = stops(5, deadline=time.monotonic())
    with pytest.raises(Interrupted) as interrupted:
        list(decoder.decode(sequence, prompt_for("x"), GREEDY, late, never))
    assert interrupted.value.finish is Finish.DEADLINE
    assert len(sequence) == 0


def test_a_failed_step_is_taken_back(sequence: CachedSequence) -> None:
    class Failing(Transformer):
        def __init__(self) -> None:
            self.__dict__ = MODEL.__dict__

        def run(self, *more):  # type: ignore[override]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Decoder(Failing(), TOKENIZER).prefill(sequence, (1, 2, 3), stops(5), never)
    assert len(sequence) == 0
    sequence.check_integrity()


# endregion


@given(st.lists(st.integers(0, 2), max_size=6), st.lists(st.integers(0, 2), max_size=6))
def test_shared_counts_the_common_start(one: list[int], other: list[int]) -> None:
    count = shared(one, other)
    assert one[:count] == other[:count]
    assert one[count : count + 1] != other[count : count + 1] or count == min(len(one), len(other))


def _byte_token(byte: int) -> int:
    return next(t for t in range(TOKENIZER.vocabulary) if TOKENIZER.token_bytes(t) == bytes([byte]))


def _scripted(tokens: list[int], prompt: Prompt) -> Iterator[Token]:
    """What decoding shows of a model that says exactly `tokens`."""

    class Scripted(Sampler):
        def __init__(self) -> None:
            super().__init__(Sampling())

        def draw(self, logits, position: int, attempt: int = 0) -> int:
            return tokens[position - len(prompt.tokens)]

    sequence = CachedSequence(MODEL.new_arena())
    limit = stops(len(tokens))
    yield from Decoder(MODEL, TOKENIZER).decode(sequence, prompt, Scripted(), limit, never)
