"""A text edited piece by piece has the tokens that the whole text has."""

import gzip
import inspect
import json
import textwrap
from functools import cache
from pathlib import Path
from random import Random

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from keyturn.cache.errors import EditOutOfRange
from keyturn.cache.tokens import TokenisedText
from keyturn.models.tokenizer.bpe import Tokenizer
from keyturn.models.tokenizer.pretokenizer import pre_tokenizer
from keyturn.models.tokenizer.vocabulary import Vocabulary
from support.models.tiny_tokenizer import tiny_tokenizer
from support.random_edits import SNIPPETS, random_edit

STYLES = ["qwen2", "deepseek-coder", "starcoder", "llama-bpe", "gpt-2", "default"]
SOURCE = "".join(map(inspect.getsource, (textwrap, inspect)))
TRACES = Path(__file__).parents[1] / "data" / "editing-traces"


@cache
def styled(style: str) -> Tokenizer:
    """A tokenizer with a real pre-tokenizer and a small vocabulary trained on Python."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([SOURCE], trainer)
    model = json.loads(made.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    merges = [" ".join(m) if isinstance(m, list) else m for m in model["merges"]]
    return Tokenizer(Vocabulary("bytes", tokens, merges, {}, pre_tokenizer(style)))


def check(text: TokenisedText, tokenizer: Tokenizer, expected: str) -> None:
    assert text.text == expected
    assert list(text.ids) == tokenizer.encode(expected)
    assert len(set(text.part(0, len(expected)).labels)) == len(text.ids)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("edits", [100, pytest.param(4000, marks=pytest.mark.slow)])
def test_random_edits_give_the_tokens_of_the_whole_text(style: str, edits: int) -> None:
    tokenizer, random = styled(style), Random(style)
    plain = SOURCE[:3000]
    text = TokenisedText(tokenizer, plain)
    for _ in range(edits):
        start, stop, new = random_edit(random, plain)
        plain = plain[:start] + new + plain[stop:]
        text.edit(start, stop, new)
        check(text, tokenizer, plain)
        if len(plain) > 6000:
            text.edit(2000, len(plain) - 1000, "")
            plain = plain[:2000] + plain[-1000:]


@pytest.mark.parametrize("style", STYLES)
@given(
    edits=st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 5), st.text(" \n\ta1'.日(", max_size=6)),
        max_size=6,
    )
)
@settings(max_examples=25, deadline=None)
def test_edits_made_of_awkward_characters_give_the_tokens_of_the_whole_text(
    style: str, edits: list[tuple[float, int, str]]
) -> None:
    tokenizer, plain = styled(style), "  a1 \n\n  it's 12345  (..)\n"
    text = TokenisedText(tokenizer, plain)
    for where, deleted, new in edits:
        start = int(where * len(plain))
        stop = min(len(plain), start + deleted)
        plain = plain[:start] + new + plain[stop:]
        text.edit(start, stop, new)
        check(text, tokenizer, plain)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("cuts", [60, pytest.param(2000, marks=pytest.mark.slow)])
def test_any_part_has_the_tokens_that_it_has_alone(style: str, cuts: int) -> None:
    tokenizer, random = styled(style), Random(style)
    plain = SOURCE[:2000] + "".join(random.choices(SNIPPETS, k=300))
    text = TokenisedText(tokenizer, plain)
    for _ in range(cuts):
        start = random.choice([0, random.randint(0, len(plain))])
        stop = random.choice([len(plain), random.randint(start, len(plain)), start + 3])
        part = text.part(start, min(stop, len(plain)))
        assert part.ids == tokenizer.encode(plain[start:stop])
        assert len(part.labels) == len(part.ids)


def test_a_tokenizer_without_pieces_is_still_exact() -> None:
    tokenizer = tiny_tokenizer("codellama")
    text = TokenisedText(tokenizer, "def f(self):\n    return self\n")
    text.edit(4, 5, "name")
    assert list(text.ids) == tokenizer.encode(text.text)
    assert text.part(3, 9).ids == tokenizer.encode(text.text[3:9])


def test_tokens_that_an_edit_does_not_reach_keep_their_labels() -> None:
    text = TokenisedText(styled("qwen2"), SOURCE[:2000])
    before = text.part(0, 2000).labels
    text.edit(1000, 1000, "x")
    after = text.part(0, 2001).labels
    assert len(set(after) - set(before)) <= 5
    cut = text.part(0, 1500)
    assert 0 < len(cut.labels) - len(set(cut.labels) & set(after)) + 3 <= 8


def test_an_edit_outside_the_text_is_refused_and_changes_nothing() -> None:
    text = TokenisedText(styled("qwen2"), "abc")
    before = list(text.ids)
    for start, stop in ((-1, 0), (2, 1), (0, 4)):
        with pytest.raises(EditOutOfRange, match="text of 3"):
            text.edit(start, stop, "x")
        with pytest.raises(EditOutOfRange):
            text.part(start, stop)
    assert (text.text, list(text.ids)) == ("abc", before)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["qwen2", "deepseek-coder", "starcoder"])
@pytest.mark.parametrize("name", ["rustcode", "sveltecomponent"])
def test_recorded_editing_gives_the_tokens_of_the_whole_text(name: str, style: str) -> None:
    tokenizer = styled(style)
    trace = json.loads(gzip.decompress((TRACES / f"{name}.json.gz").read_bytes()))
    text = TokenisedText(tokenizer, trace["startContent"])
    patches = [patch for txn in trace["txns"] for patch in txn["patches"]]
    for count, (position, deleted, inserted) in enumerate(patches):
        text.edit(position, position + deleted, inserted)
        if count % 200 == 0:
            assert list(text.ids) == tokenizer.encode(text.text)
    assert text.text == trace["endContent"]
    assert list(text.ids) == tokenizer.encode(text.text)
