"""Text to tokens: the same tokens as other implementations, the same bytes as the text."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiktoken
import tokenizers
from gguf import GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers

from keyturn.models.errors import ModelError, UnsupportedModel
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.gguf import GgufFile
from keyturn.models.tokenizer.bpe import Tokenizer
from keyturn.models.tokenizer.pretokenizer import pre_tokenizer
from keyturn.models.tokenizer.vocabulary import Vocabulary, checked, from_gguf, from_tokenizer_json
from support.models.tiny_gguf import SPECIALS, add_tokenizer, byte_characters, finish

SOURCE = Path(__file__).read_text(encoding="utf-8")
PRE_TOKENIZERS = ("qwen2", "llama-bpe", "starcoder", "deepseek-coder", "gpt-2", "default")
AWKWARD = [
    "",
    "a\r\nb\rc\n\n\r\n",
    "\tif x:\n\t\treturn  1   \n",
    "naïve café — 日本語 👩‍👩‍👧 \u2028\x85\x0c",
    "e\u0301 is not \u00e9",  # normalising would make them equal
    "\u2581already\u2581there ",
    "x = 1234567 + 0x1F\n",
    "'S 'll don't WE'RE",
    "<0x0A>",
    "\x00\x01",
]
SURROGATES = st.characters(categories=["Cs"])
CODE = st.text(st.sampled_from("  \n\r\tdefreturn(){}:'\"=+0123é日👍_.<|>\u2581"), max_size=60)
ANY_TEXT = st.one_of(CODE, st.text(max_size=60))


def trained(pre: str = "qwen2", ignore_merges: bool = False) -> tokenizers.Tokenizer:
    """A real byte-level tokenizer, trained by `tokenizers` on this file."""
    made = tokenizers.Tokenizer(models.BPE(ignore_merges=ignore_merges))
    shell = {"version": "1.0", "added_tokens": [], "pre_tokenizer": pre_tokenizer(pre)}
    shell |= dict.fromkeys(("normalizer", "post_processor", "decoder", "truncation", "padding"))
    shell["model"] = {"type": "BPE", "vocab": {}, "merges": []}
    made.pre_tokenizer = tokenizers.Tokenizer.from_str(json.dumps(shell)).pre_tokenizer
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIALS),
    )
    made.train_from_iterator([SOURCE], trainer)
    return made


def read(made: tokenizers.Tokenizer, folder: Path, config: Mapping[str, Any]) -> Vocabulary:
    path = folder / "tokenizer.json"
    path.write_text(made.to_str(), encoding="utf-8")
    return from_tokenizer_json(path, config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tokenizers")


# region against other implementations


@pytest.mark.parametrize("ignore_merges", [False, True])
@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_tokens_are_those_of_the_tokenizers_package(
    pre: str, ignore_merges: bool, folder: Path
) -> None:
    theirs = trained(pre, ignore_merges)
    ours = Tokenizer(read(theirs, folder, {}))

    @settings(max_examples=100, deadline=None)
    @given(ANY_TEXT)
    def agree(text: str) -> None:
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids

    agree()
    for text in [*AWKWARD, SOURCE.replace("<|", "<")]:  # theirs would see control tokens in it
        assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids


def qwen_by_tiktoken(vocabulary: Vocabulary) -> tiktoken.Encoding:
    """Qwen's own tokenizer is a tiktoken one: rank and id are the same thing."""
    alphabet = {c: bytes([b]) for b, c in enumerate(byte_characters())}
    ranks = {
        b"".join(alphabet[c] for c in text): i
        for i, text in enumerate(vocabulary.tokens)
        if text and text not in vocabulary.added
    }
    pattern = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    return tiktoken.Encoding("qwen", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})


def test_the_default_model_has_the_tokens_of_tiktoken(real_model: ModelFiles) -> None:
    vocabulary = from_gguf(GgufFile(real_model.path).metadata)
    ours, theirs = Tokenizer(vocabulary), qwen_by_tiktoken(vocabulary)
    assert ours.special("<|fim_prefix|>") == 151659
    assert ours.special("<|fim_middle|>") == 151660
    assert ours.special("<|fim_suffix|>") == 151661
    assert (ours.bos, ours.eos, ours.vocabulary) == (None, 151645, 151936)

    @settings(max_examples=200, deadline=None)
    @given(ANY_TEXT)
    def agree(text: str) -> None:
        assert ours.encode(text) == theirs.encode_ordinary(text)

    agree()
    for text in [*AWKWARD, SOURCE, SOURCE.replace("\n", "\r\n"), "a" * 3000, " " * 3000]:
        assert ours.encode(text) == theirs.encode_ordinary(text)


def test_a_sentencepiece_vocabulary_merges_best_score_first() -> None:
    pieces = {"▁": -8.0, "r": -9.0, "e": -9.5, "t": -9.1, "u": -9.2, "n": -9.3, "re": -1.0}
    pieces |= {"et": -0.5, "ret": -3.0, "urn": -2.5, "ur": -2.0, "rn": -1.5, "▁ret": -4.0}
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *pieces]
    metadata = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": texts,
        "tokenizer.ggml.scores": [*[0.0] * 259, *pieces.values()],
        "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * len(pieces)],
        "tokenizer.ggml.bos_token_id": 1,
    }
    tokenizer = Tokenizer(from_gguf(metadata))
    assert tokenizer.bos == 1

    def naive(text: str) -> list[str]:
        """SentencePiece's rule by hand: of all neighbours, join those whose result scores best."""
        symbols = list(text.replace(" ", "▁"))
        while True:
            joined = [a + b for a, b in pairwise(symbols)]
            scores = [pieces.get(text, -np.inf) for text in joined]
            if not scores or max(scores) == -np.inf:
                return symbols
            best = scores.index(max(scores))
            symbols[best : best + 2] = [joined[best]]

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.sampled_from(" return"), max_size=20))
    def agree(text: str) -> None:
        assert [texts[i] for i in tokenizer.encode(text)] == naive(text)

    agree()


# endregion
# region exactness


@pytest.fixture(scope="module", params=["bytes", "metaspace"])
def tokenizer(request: pytest.FixtureRequest, folder: Path) -> Tokenizer:
    if request.param == "bytes":
        return Tokenizer(read(trained(), folder, {}))
    texts = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    texts += ["▁", "d", "e", "f", "de", "def", "▁def", "▁▁", "é"]
    merges = ["d e", "de f", "▁ def", "▁ ▁"]
    specials = {"<unk>": 0, "<s>": 1, "</s>": 2}
    return Tokenizer(Vocabulary("metaspace", texts, merges, specials, None))


@given(text=ANY_TEXT)
@settings(deadline=None)
def test_any_text_comes_back_exactly(tokenizer: Tokenizer, text: str) -> None:
    tokens = tokenizer.encode(text)
    assert tokenizer.decode(tokens) == text
    assert b"".join(tokenizer.token_bytes(token) for token in tokens) == text.encode()


@pytest.mark.parametrize("text", AWKWARD)
def test_awkward_text_comes_back_exactly(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


@given(text=st.text(st.one_of(SURROGATES, st.characters()), max_size=30))
@settings(deadline=None)
def test_lone_surrogates_count_as_replacement_characters(tokenizer: Tokenizer, text: str) -> None:
    expected = "".join("\ufffd" if 0xD800 <= ord(c) < 0xE000 else c for c in text)
    assert tokenizer.decode(tokenizer.encode(text)) == expected


def test_the_text_of_a_control_token_is_ordinary_text(tokenizer: Tokenizer) -> None:
    controls = set(tokenizer.added.values())
    for text in tokenizer.added:
        tokens = tokenizer.encode(f"x = '{text}'{text}")
        assert controls.isdisjoint(tokens)
        assert tokenizer.decode(tokens) == f"x = '{text}'{text}"


def test_a_control_token_has_no_text(tokenizer: Tokenizer) -> None:
    for text, token in tokenizer.added.items():
        assert tokenizer.special(text) == token
        assert tokenizer.token_bytes(token) == b""
    assert tokenizer.special("def") is None


def test_a_token_may_be_part_of_a_character(tokenizer: Tokenizer) -> None:
    rare = chr(0x1FAE0)  # not written here, so that no token was trained on it
    first, *rest = tokenizer.encode(rare)
    assert tokenizer.token_bytes(first) == rare.encode()[:1]
    assert tokenizer.decode([first]) == "\ufffd"
    assert tokenizer.decode([first, *rest]) == rare


def test_ids_past_the_vocabulary_have_no_bytes(tokenizer: Tokenizer) -> None:
    assert tokenizer.token_bytes(tokenizer.vocabulary) == b""
    assert tokenizer.token_bytes(-1) == b""


@given(text=ANY_TEXT)
@settings(deadline=None)
def test_no_token_crosses_a_span(tokenizer: Tokenizer, text: str) -> None:
    spans = tokenizer.spans(text)
    assert "".join(text[start:end] for start, end in spans) == text
    lengths = (len(tokenizer.token_bytes(token)) for token in tokenizer.encode(text))
    ends = {len(text[:end].encode()) for _, end in spans}
    assert ends <= set(accumulate(lengths))


def test_a_very_long_piece_is_no_trouble(tokenizer: Tokenizer) -> None:
    text = "def" * 20_000
    assert tokenizer.decode(tokenizer.encode(text)) == text


# endregion
# region files


def test_a_vocabulary_is_the_same_after_saving(folder: Path) -> None:
    vocabulary = read(trained(), folder, {"eos_token_id": [3, 4]})
    assert vocabulary.eos == 3
    vocabulary.save(folder / "vocabulary.json")
    assert Vocabulary.load(folder / "vocabulary.json") == vocabulary


def test_gguf_and_tokenizer_json_give_the_same_tokens(folder: Path) -> None:
    made = trained()
    vocabulary = read(made, folder, {})
    writer = GGUFWriter(folder / "a.gguf", "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types([3 if t in vocabulary.added else 1 for t in vocabulary.tokens])
    writer.add_token_merges(vocabulary.merges)
    writer.add_tensor("w.weight", np.zeros((1, 1), np.float32))
    finish(writer)
    from_file = from_gguf(GgufFile(folder / "a.gguf").metadata)
    assert Tokenizer(from_file).encode(SOURCE) == Tokenizer(vocabulary).encode(SOURCE)
    assert from_file.added == vocabulary.added


def test_the_template_says_which_token_comes_first(folder: Path) -> None:
    made = trained()
    made.post_processor = tokenizers.processors.TemplateProcessing(  # type: ignore[assignment]
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    assert read(made, folder, {}).bos == 0


def test_unused_tokens_of_a_padded_vocabulary_mean_nothing(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "a.gguf", "qwen2")
    add_tokenizer(writer, size=300)
    writer.add_tensor("w.weight", np.zeros((1, 1), np.float32))
    finish(writer)
    tokenizer = Tokenizer(from_gguf(GgufFile(tmp_path / "a.gguf").metadata))
    assert tokenizer.vocabulary == 300
    assert tokenizer.token_bytes(299) == b""
    assert tokenizer.decode(tokenizer.encode("[PAD299] return int")) == "[PAD299] return int"


def test_a_vocabulary_that_cannot_spell_every_byte_is_refused(folder: Path) -> None:
    vocabulary = read(trained(), folder, {})
    short = ["" if text == "A" else text for text in vocabulary.tokens]
    with pytest.raises(ModelError, match="some bytes have no token"):
        checked(replace(vocabulary, tokens=short, merges=[]))


def test_a_merge_into_no_token_is_refused(folder: Path) -> None:
    vocabulary = read(trained(), folder, {})
    with pytest.raises(ModelError, match="'q q' merges into no token"):
        checked(replace(vocabulary, merges=[*vocabulary.merges, "q q"]))


def test_other_kinds_of_tokenizer_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizers.Tokenizer(models.WordPiece()).to_str())
    with pytest.raises(UnsupportedModel, match="WordPiece"):
        from_tokenizer_json(path, {})
    with pytest.raises(UnsupportedModel, match="'t5'"):
        from_gguf({"tokenizer.ggml.model": "t5", "tokenizer.ggml.tokens": []})
    with pytest.raises(UnsupportedModel, match="pre-tokenizer 'dbrx'"):
        pre_tokenizer("dbrx")


def test_a_broken_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{")
    with pytest.raises(ModelError, match=r"cannot read .*tokenizer\.json"):
        from_tokenizer_json(path, {})
    with pytest.raises(ModelError, match=r"cannot read .*missing\.json"):
        from_tokenizer_json(tmp_path / "missing.json", {})
    for damaged in ("{}", "[]", '{"model": {"vocab": {}}}'):
        path.write_text(damaged)
        with pytest.raises(ModelError, match=r"tokenizer\.json"):
            from_tokenizer_json(path, {})
    with pytest.raises(ModelError, match="the GGUF file is damaged"):
        from_gguf({"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": ["a"]})
    path.write_text("{")
    with pytest.raises(ModelError, match="cannot read the vocabulary"):
        Vocabulary.load(path)


# endregion
