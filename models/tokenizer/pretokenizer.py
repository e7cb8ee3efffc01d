"""Pretokenizers: how a byte-level vocabulary cuts text before merging, by the name that GGUF files
give it.

Each entry is the `pre_tokenizer` section that a Hugging Face tokenizer.json of that family has;
`tokenizers` runs it. The expressions are facts about the vocabularies: tokens come out wrong
when they differ from what the model was trained with.
"""

from typing import Any

from ..errors import UnsupportedModel

WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
PUNCTUATION = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT2 = BYTES | {"use_regex": True}  # `tokenizers` has GPT-2's expression built in


def pre_tokenizer(name: str) -> dict[str, Any]:
    """The tokenizer.json section for a `tokenizer.ggml.pre` value."""
    match name:
        case "gpt-2" | "gpt2":
            return GPT2
        case "qwen2" | "deepseek-r1-qwen":
            return _sequence(_split(rf"{CONTRACTIONS}|{WORDS}|\p{{N}}|{PUNCTUATION}"), BYTES)
        case "llama-bpe" | "llama3":
            return _sequence(_split(rf"{CONTRACTIONS}|{WORDS}|\p{{N}}{{1,3}}|{PUNCTUATION}"), BYTES)
        case "starcoder" | "refact" | "command-r" | "smollm":
            return _sequence({"type": "Digits", "individual_digits": True}, GPT2)
        case "deepseek-coder":
            return _sequence(
                *(_split(part) for part in (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK)),
                {"type": "Digits", "individual_digits": True},
                BYTES,
            )
        case "default":
            return _sequence(_split(r"[\p{P}\$\+<=>\^~\|]+"), _split(r"[0-9][0-9][0-9]"), GPT2)
    raise UnsupportedModel(f"the GGUF pre-tokenizer {name!r} is not supported")


def _split(expression: str) -> dict[str, Any]:
    return {
        "type": "Split",
        "pattern": {"Regex": expression},
        "behavior": "Isolated",
        "invert": False,
    }


def _sequence(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "pretokenizers": list(parts)}
