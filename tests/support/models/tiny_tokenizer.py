"""Small real tokenizers of every family: trained on a page of code, with the family's specials."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from keyturn.models.prompts.templates import CODELLAMA, TEMPLATES
from keyturn.models.tokenizer.bpe import Tokenizer
from keyturn.models.tokenizer.vocabulary import from_tokenizer_json

PAGE = '''\
import os
from configuration import config, configure, conference


class Stack(list):
    """A list used as a stack; configuration comes from the outside."""

    def push(self, value):
        self.append(value)
        return self

    def peek(self):
        if not self:
            raise IndexError("peek at an empty stack")
        return self[-1]

\tdef tabbed(self): return None  # naïve café 日本 😀


def read(path, mode="r"):
    if not os.path.exists(path):
        return {}
    with open(path, mode) as file:
        return file.read()
'''
QWEN_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BY_FAMILY = {template.family: template for template in TEMPLATES}


@cache
def tiny_tokenizer(family: str = "qwen") -> Tokenizer:
    """keyturn's tokenizer over a vocabulary of a few hundred tokens."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        path.write_text(tokenizer_json(family), encoding="utf-8")
        return Tokenizer(from_tokenizer_json(path, {}))


@cache
def tokenizer_json(family: str = "qwen") -> str:
    template = BY_FAMILY[family]
    made = _metaspace() if template is CODELLAMA else _byte_level()
    made.add_special_tokens(list(dict.fromkeys(template.specials)))
    return made.to_str()


def _byte_level() -> tokenizers.Tokenizer:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(QWEN_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=480, min_frequency=1, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([PAGE], trainer)
    return made


def _metaspace() -> tokenizers.Tokenizer:
    """As SentencePiece's: no pieces, spaces as U+2581, unknown characters spelled in bytes."""
    tokens = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    merges = []
    tokens += sorted({character for character in PAGE if character.isascii()} - set(" \n\t"))
    tokens.append("▁")
    for word in ("▁def", "▁▁", "▁▁▁▁", "return", "▁return", "self"):
        for end in range(2, len(word) + 1):
            left, right = word[: end - 1], word[end - 1]
            if word[:end] not in tokens:
                tokens.append(word[:end])
                merges.append(f"{left} {right}")
    data = {
        "added_tokens": [],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "byte_fallback": True,
            "unk_token": "<unk>",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": merges,
        },
    }
    return tokenizers.Tokenizer.from_str(json.dumps(data))
