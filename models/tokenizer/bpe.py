"""Text to tokens and back, exactly: the bytes of the tokens are the bytes of the text.

The pieces are cut by `tokenizers`; merging is done here, on two plain dicts, because they load
in a tenth of the time that `tokenizers` needs to build its own tables, and because then nothing
can turn text into a control token: those are simply not in the dict. Unicode normalisation, which
some tokenizer.json files ask for, is left out, since it changes the text.
"""

import json
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

import tokenizers

from ..errors import UnsupportedModel
from .vocabulary import SPACE, Vocabulary, byte_alphabet

REMEMBERED_PIECES = 1 << 16
REMEMBERED_CHARACTERS = 64  # longer pieces are not worth keeping
LITERAL_SPACE = "\ud800"  # stands for a U+2581 of the text itself; no text can contain it
LONE_SURROGATES = dict.fromkeys(range(55296, 57344), "�")


class Tokenizer:
    """Owns the memory of pieces already merged; otherwise immutable. One thread at a time."""

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = len(vocabulary.tokens)
        self.added = dict(vocabulary.added)
        self.bos = vocabulary.bos
        self.eos = vocabulary.eos
        self._tokens = vocabulary.tokens
        self._ids = dict(zip(vocabulary.tokens, range(self.vocabulary), strict=True))
        for text in ("", *vocabulary.added):
            self._ids.pop(text, None)
        self._ranks = dict(zip(vocabulary.merges, range(len(vocabulary.merges)), strict=True))
        self._whole_pieces = vocabulary.whole_pieces
        self._alphabet = vocabulary.alphabet
        self._bytes = {character: byte for byte, character in enumerate(byte_alphabet())}
        self._controls = {i for text, i in self.added.items() if _is_mark(text)}
        self._splitter = _splitter(vocabulary) if vocabulary.pre_tokenizer else None
        self._remembered: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Tokens of `text`, never a control token. A lone surrogate counts as U+FFFD."""
        tokens: list[int] = []
        for piece in self._pieces(text):
            tokens += self._remembered.get(piece) or self._merge(piece)
        return tokens

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of `tokens`; control tokens have none, incomplete UTF-8 becomes U+FFFD."""
        return b"".join(map(self.token_bytes, tokens)).decode("utf-8", "replace")

    def token_bytes(self, token: int) -> bytes:
        """Exactly what a token adds to the text: perhaps part of a character, perhaps nothing."""
        if token in self._controls or not 0 <= token < self.vocabulary:
            return b""
        text = self._tokens[token]
        if text in self.added:
            return text.encode()
        if self._alphabet == "bytes":
            return bytes(self._bytes[character] for character in text)
        if text.startswith("<0x") and len(text) == 6:
            return bytes.fromhex(text[3:5])
        return text.replace(SPACE, " ").encode()

    def special(self, text: str) -> int | None:
        """The id of a control token by its own text, such as "<|fim_prefix|>"."""
        return self.added.get(text)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where the pieces of `text` lie, in characters: no token crosses these boundaries."""
        if self._splitter is None:
            return [(0, len(text))] if text else []
        return [span for _, span in self._splitter.pre_tokenize_str(_encodable(text))]

    def pieces(self, text: str) -> list[tuple[int, list[int]]]:
        """Where each piece starts, in characters, and its tokens: `encode`, piece by piece."""
        if self._splitter is None:
            return [(0, self.encode(text))] if text else []
        cut = self._splitter.pre_tokenize_str(_encodable(text))
        return [(span[0], self._remembered.get(p) or self._merge(p)) for p, span in cut]

    # region merging

    def _pieces(self, text: str) -> list[str]:
        text = _encodable(text)
        if self._splitter is not None:
            return [piece for piece, _ in self._splitter.pre_tokenize_str(text)]
        return [text.replace(SPACE, LITERAL_SPACE).replace(" ", SPACE)] if text else []

    def _merge(self, piece: str) -> list[int]:
        if self._whole_pieces and piece in self._ids:
            tokens = [self._ids[piece]]
        else:
            tokens = [i for symbol in merge(piece, self._ranks) for i in self._spell(symbol)]
        if len(piece) <= REMEMBERED_CHARACTERS:
            if len(self._remembered) >= REMEMBERED_PIECES:
                self._remembered.clear()
            self._remembered[piece] = tokens
        return tokens

    def _spell(self, symbol: str) -> list[int]:
        if symbol in self._ids:
            return [self._ids[symbol]]
        text = symbol.replace(LITERAL_SPACE, SPACE)
        return [self._ids[f"<0x{byte:02X}>"] for byte in text.encode()]

    # endregion


def merge(piece: str, ranks: Mapping[str, int]) -> list[str]:
    """Byte-pair merging: join the most urgent pair, leftmost first, until none is left."""
    symbols = list(piece)
    following = list(range(1, len(symbols) + 1))
    preceding = list(range(-1, len(symbols) - 1))

    def rank(left: int) -> int | None:
        right = following[left]
        return ranks.get(f"{symbols[left]} {symbols[right]}") if right < len(symbols) else None

    candidates = [(r, left) for left in range(len(symbols)) if (r := rank(left)) is not None]
    heapify(candidates)
    while candidates:
        urgency, left = heappop(candidates)
        if not symbols[left] or rank(left) != urgency:
            continue  # one of the two has been merged into something else since
        right = following[left]
        symbols[left] += symbols[right]
        symbols[right] = ""
        following[left] = following[right]
        if following[right] < len(symbols):
            preceding[following[right]] = left
        for changed in (preceding[left], left):
            if changed >= 0 and (r := rank(changed)) is not None:
                heappush(candidates, (r, changed))
    return [symbol for symbol in symbols if symbol]


def _encodable(text: str) -> str:
    """`text` with each lone surrogate replaced, so that offsets stay what they were."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.translate(LONE_SURROGATES)
    return text


def _is_mark(text: str) -> bool:
    """Whether an added token is control markup rather than text that was given its own token."""
    bare = text.removeprefix(SPACE)
    return (bare[:1], bare[-1:]) in {("<", ">"), ("[", "]")}


def _splitter(vocabulary: Vocabulary) -> tokenizers.pre_tokenizers.PreTokenizer:
    """The `tokenizers` pre-tokenizer alone, without the tables that are slow to build."""
    sections = dict.fromkeys(("normalizer", "post_processor", "decoder", "truncation", "padding"))
    model = {"type": "BPE", "vocab": {}, "merges": []}
    shell = {"version": "1.0", "added_tokens": [], "model": model, **sections}
    shell["pre_tokenizer"] = vocabulary.pre_tokenizer
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(shell)).pre_tokenizer
    except Exception as error:  # the package raises nothing narrower
        raise UnsupportedModel(f"this pre-tokenizer cannot be used: {error}") from error
