"""Token healing: a cursor inside a word must not force tokens that the model never saw end there.

`conf|` is one token short of `config` in no tokenizer: the model has learnt `config` as a token of
its own. So the prompt stops before the word (its last pre-token boundary), and the first tokens
generated are held to those whose bytes agree with the bytes left out.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from .context import Encoder

# A word and the character that byte-level pre-tokenizers join to its front, or underscores.
UNFINISHED = re.compile(r"(?:[^\w\r\n]|_)?[^\W\d_]+\Z|_+\Z")
LONGEST_WORD = 48  # characters; what is longer is no word, and holding it back would cost steps


def hold_back(encoder: Encoder, tokens: Sequence[int]) -> tuple[Sequence[int], bytes]:
    """Split `tokens` before the word at their end: what to keep, and the bytes left out."""
    tail = b"".join(map(encoder.token_bytes, tokens[-LONGEST_WORD - 1 :]))
    text = tail.decode("utf-8", "ignore")[-LONGEST_WORD - 1 :]
    word = UNFINISHED.search(text)
    if word is None or len(word.group()) > LONGEST_WORD:
        return tokens, b""
    wanted = len(word.group().encode())
    pending = b""
    kept = len(tokens)
    while len(pending) < wanted:
        kept -= 1
        pending = encoder.token_bytes(tokens[kept]) + pending
    return tokens[:kept], pending


class ByteIndex:
    """Every token of a vocabulary by its bytes, in order. Immutable."""

    def __init__(self, encoder: Encoder, vocabulary: int) -> None:
        pairs = sorted((encoder.token_bytes(token), token) for token in range(vocabulary))
        pairs = pairs[bisect_left(pairs, (b"\0", -1)) :]  # tokens without bytes go nowhere
        self._bytes = [data for data, _ in pairs]
        self._tokens = [token for _, token in pairs]

    def agreeing(self, pending: bytes) -> list[int]:
        """Tokens that start with all of `pending`, or are the start of it."""
        first = bisect_left(self._bytes, pending)
        last = first
        if pending:
            last = bisect_left(self._bytes, pending + b"\xff" * 256, lo=first)
        tokens = self._tokens[first:last]
        for length in range(1, len(pending)):
            start = pending[:length]
            at = bisect_left(self._bytes, start)
            while at < len(self._bytes) and self._bytes[at] == start:
                tokens.append(self._tokens[at])
                at += 1
        return tokens


def consume(pending: bytes, data: bytes) -> tuple[bytes, bytes]:
    """What is still pending after a token's bytes, and what of them is new text."""
    if len(data) < len(pending):
        return pending[len(data) :], b""
    return b"", data[len(pending) :]
