"""Token healing: a cursor must not force token boundaries that the model never saw.

With the cursor in `conf|ig`, `conf` and `ig` are not the tokens of `config`; `):|` is not how `):`
and a line break are spelled, and four blanks before a word are three and a token that starts with
one. So the prompt stops at the last pre-token boundary, and the first tokens generated are held to
those whose bytes agree with the bytes left out.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from .truncate import Encoder

# The last piece as byte-level pre-tokenizers cut them: a word and what they join to its front,
# or signs, or blanks. A line break ends a piece whatever follows.
LAST_WORD = re.compile(r"(?:[^\w\r\n]|_)?[^\W\d_]+\Z|_+\Z")
LAST_PIECE = re.compile(rf"{LAST_WORD.pattern}| ?(?:[^\w\s]|_)+\Z|[ \t]+\Z")
LONGEST_PIECE = 48  # characters; to hold back more would cost steps


def hold_back(
    encoder: Encoder, tokens: Sequence[int], last: re.Pattern[str] = LAST_PIECE
) -> tuple[Sequence[int], bytes]:
    """Split `tokens` before the `last` piece of their text: what to keep, the bytes left out."""
    tail = b"".join(map(encoder.token_bytes, tokens[-LONGEST_PIECE - 1 :]))
    text = tail.decode("utf-8", "ignore")[-LONGEST_PIECE - 1 :]
    piece = last.search(text)
    if piece is None or len(piece.group()) > LONGEST_PIECE:
        return tokens, b""
    wanted = len(piece.group().encode())
    pending = b""
    kept = len(tokens)
    while len(pending) < wanted:
        kept -= 1
        pending = encoder.token_bytes(tokens[kept]) + pending
    return tokens[:kept], pending


class ByteIndex:
    """Every token of a vocabulary by its bytes. Sorted where it is asked, byte by first byte."""

    def __init__(self, encoder: Encoder, vocabulary: int) -> None:
        self._by_first_byte: dict[int, list[tuple[bytes, int]]] = {}
        self._sorted: set[int] = set()
        for token in range(vocabulary):
            if data := encoder.token_bytes(token):
                self._by_first_byte.setdefault(data[0], []).append((data, token))

    def agreeing(self, pending: bytes) -> list[int]:
        """Tokens that start with all of `pending` (not empty), or are the start of it."""
        entries = self._entries(pending[0])
        first = bisect_left(entries, (pending, -1))
        last = bisect_left(entries, (pending + b"\xff" * 256, -1), lo=first)
        tokens = [token for _, token in entries[first:last]]
        for length in range(1, len(pending)):
            at = bisect_left(entries, (pending[:length], -1))
            while at < len(entries) and entries[at][0] == pending[:length]:
                tokens.append(entries[at][1])
                at += 1
        return tokens

    def _entries(self, first_byte: int) -> list[tuple[bytes, int]]:
        entries = self._by_first_byte.get(first_byte, [])
        if first_byte not in self._sorted:
            entries.sort()
            self._sorted.add(first_byte)
        return entries


def agrees(data: bytes, pending: bytes) -> bool:
    """Whether a token's bytes can start text that starts with `pending`."""
    return data != b"" and (data.startswith(pending) or pending.startswith(data))


def consume(pending: bytes, data: bytes) -> tuple[bytes, bytes]:
    """What is still pending after a token's bytes, and what of them is new text."""
    if len(data) < len(pending):
        return pending[len(data) :], b""
    return b"", data[len(pending) :]
