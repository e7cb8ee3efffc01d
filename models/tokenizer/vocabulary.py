"""A BPE vocabulary as plain data: read from a tokenizer.json or a GGUF file, kept as small JSON.

Two alphabets exist. `bytes`: every byte is one printable character (GPT-2's table), so any text
can be spelled. `metaspace`: a space is U+2581 and bytes without a token are spelled `<0x0A>`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import ModelError, UnsupportedModel
from .pretokenizer import pre_tokenizer

SPACE = "\u2581"
NORMAL, UNUSED, BYTE = 1, 5, 6  # tokenizer.ggml.token_type
CODE_LLAMA_MARKS = (f"{SPACE}<PRE>", f"{SPACE}<SUF>", f"{SPACE}<MID>", f"{SPACE}<EOT>")


@dataclass(frozen=True)
class Vocabulary:
    """Ids are positions in `tokens`; an id that means nothing has the empty string.

    `added` are the tokens that no text may become: control tokens and other additions.
    `whole_pieces`: a piece that is a token is taken whole, whatever the merges would say.
    """

    alphabet: Literal["bytes", "metaspace"]
    tokens: list[str]
    merges: list[str]  # "left right", most urgent first
    added: dict[str, int]
    pre_tokenizer: dict[str, Any] | None
    whole_pieces: bool = False
    bos: int | None = None  # what the model expects in front of every prompt
    eos: int | None = None

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Raises `ModelError` when the file is missing or is not what `save` wrote."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ModelError(f"cannot read the vocabulary {path}: {error}") from error


def checked(vocabulary: Vocabulary) -> Vocabulary:
    """`vocabulary` itself, or `ModelError` when some text could not be spelled with it."""
    ordinary = set(vocabulary.tokens)
    for pair in vocabulary.merges:
        left, _, right = pair.partition(" ")
        if left + right not in ordinary:
            raise ModelError(f"the vocabulary is damaged: {pair!r} merges into no token")
    needed = byte_alphabet() if vocabulary.alphabet == "bytes" else byte_fallbacks()
    if not ordinary.issuperset(needed):
        raise ModelError("the vocabulary is damaged: some bytes have no token")
    return vocabulary


def byte_fallbacks() -> list[str]:
    """The tokens that stand for single bytes in a metaspace vocabulary."""
    return [f"<0x{byte:02X}>" for byte in range(256)]


def byte_alphabet() -> list[str]:
    """The printable character that stands for each byte: itself where it is printable Latin-1,
    otherwise the next of U+0100, U+0101, ... in byte order."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(spare)) for byte in range(256)]


# region tokenizer.json


def from_tokenizer_json(path: Path, config: Mapping[str, Any]) -> Vocabulary:
    """`config` is config.json, for the id of the last token. `ModelError` when it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return checked(_from_tokenizer_json(data, config))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"cannot read {path}: {type(error).__name__}: {error}") from error
    except UnsupportedModel as error:
        raise UnsupportedModel(f"{path}: {error}") from error


def _from_tokenizer_json(data: dict[str, Any], config: Mapping[str, Any]) -> Vocabulary:
    model = data["model"]
    if model.get("type", "BPE") != "BPE":
        raise UnsupportedModel(f"tokenizer model {model['type']} is not supported; supported: BPE")
    alphabet = "bytes" if '"ByteLevel"' in json.dumps(data.get("pre_tokenizer")) else "metaspace"
    if alphabet == "metaspace" and not model.get("byte_fallback"):
        raise UnsupportedModel("the tokenizer is neither byte-level nor has it byte fallback")
    added = {token["content"]: token["id"] for token in data["added_tokens"]}
    names = {**{i: text for text, i in model["vocab"].items()}, **{i: t for t, i in added.items()}}
    return Vocabulary(
        alphabet=alphabet,
        tokens=[names.get(i, "") for i in range(max(names) + 1)],
        merges=[m if isinstance(m, str) else " ".join(m) for m in model["merges"]],
        added=added,
        pre_tokenizer=_without_prefix_space(data["pre_tokenizer"]) if alphabet == "bytes" else None,
        whole_pieces=model.get("ignore_merges", False),
        bos=_template_bos(data.get("post_processor")),
        eos=_first_id(config.get("eos_token_id")),
    )


def _without_prefix_space(section: dict[str, Any]) -> dict[str, Any]:
    """A space that the text does not have would break the correspondence of text and tokens."""
    if section["type"] == "Sequence":
        parts = [_without_prefix_space(part) for part in section["pretokenizers"]]
        return section | {"pretokenizers": parts}
    return section | {"add_prefix_space": False} if section["type"] == "ByteLevel" else section


def _template_bos(post_processor: dict[str, Any] | None) -> int | None:
    """The id that the tokenizer's own template puts in front of a single text, if any."""
    for part in (post_processor or {}).get("processors", [post_processor or {}]):
        if part.get("type") == "TemplateProcessing" and "SpecialToken" in part["single"][0]:
            name = part["single"][0]["SpecialToken"]["id"]
            return part["special_tokens"][name]["ids"][0]
    return None


def _first_id(ids: int | list[int] | None) -> int | None:
    return ids[0] if isinstance(ids, list) else ids


# endregion
# region GGUF


def from_gguf(metadata: Mapping[str, Any]) -> Vocabulary:
    """From the `tokenizer.ggml.*` keys of a GGUF file. `ModelError` when some are missing."""
    try:
        return checked(_from_gguf(metadata))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"the tokenizer in the GGUF file is damaged: {error}") from error


def _from_gguf(metadata: Mapping[str, Any]) -> Vocabulary:
    kind = metadata.get("tokenizer.ggml.model")
    if kind not in ("gpt2", "llama"):
        raise UnsupportedModel(f"GGUF tokenizer model {kind!r} is not supported (gpt2, llama are)")
    texts: list[str] = metadata["tokenizer.ggml.tokens"]
    types: list[int] = metadata.get("tokenizer.ggml.token_type") or [NORMAL] * len(texts)
    tokens = ["" if t == UNUSED else text for text, t in zip(texts, types, strict=True)]
    added = {
        text: i
        for i, (text, t) in enumerate(zip(tokens, types, strict=True))
        if t not in (NORMAL, BYTE, UNUSED) or text in CODE_LLAMA_MARKS
    }
    if kind == "gpt2":
        pre = metadata.get("tokenizer.ggml.pre", "default")
        details = {
            "alphabet": "bytes",
            "merges": metadata["tokenizer.ggml.merges"],
            "pre_tokenizer": pre_tokenizer(pre),
            "whole_pieces": pre in ("llama-bpe", "llama3"),
        }
        add_bos = metadata.get("tokenizer.ggml.add_bos_token", False)
    else:
        merges = _merges_from_scores(tokens, types, metadata["tokenizer.ggml.scores"])
        details = {"alphabet": "metaspace", "merges": merges, "pre_tokenizer": None}
        add_bos = metadata.get("tokenizer.ggml.add_bos_token", True)
    return Vocabulary(
        tokens=tokens,
        added=added,
        bos=metadata.get("tokenizer.ggml.bos_token_id") if add_bos else None,
        eos=metadata.get("tokenizer.ggml.eos_token_id"),
        **details,
    )


def _merges_from_scores(tokens: list[str], types: list[int], scores: list[float]) -> list[str]:
    """SentencePiece joins the pair whose result scores best: the same as merges in score order."""
    ids = {text: i for i, text in enumerate(tokens)}
    merges = []
    for i in sorted(range(len(tokens)), key=lambda i: -scores[i]):
        text = tokens[i]
        if types[i] != NORMAL:
            continue
        cuts = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        known = [(ids[a], ids[b], f"{a} {b}") for a, b in cuts if a in ids and b in ids]
        merges += [pair for _, _, pair in sorted(known)]
    return merges


# endregion
