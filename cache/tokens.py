"""A text and its tokens, kept equal through edits: only what an edit can reach is tokenised again.

Byte-level tokenizers cut a text into pieces by an expression without look-behind and merge inside
each piece. So pieces before an edit stay (but for a few, which look ahead over white space), and
behind it everything stays from the first place at which both the old and the new text are cut. The
result is exactly what the tokenizer makes of the whole text, and of any part of it.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from .align import common_prefix, common_suffix
from .errors import EditOutOfRange

FIRST_LOOK = 96  # characters tokenised behind an edit before looking for an old boundary
SETTLED = 4  # pieces: one with so many behind it does not depend on what follows the window


class Pieces(Protocol):
    """What is asked of a tokenizer."""

    def pieces(self, text: str) -> list[tuple[int, list[int]]]:
        """Where each piece of `text` starts, in characters, and its tokens."""
        ...


class Tokens(NamedTuple):
    """Tokens of a part of the text. A label is a token's identity for as long as it lives; those
    that only this cut of the text has are labelled 0. From index `at` on they are the text's own,
    from its token `first` on."""

    ids: list[int]
    labels: list[int]
    at: int = 0
    first: int = 0


class TokenisedText:
    """Owns one text and its tokens. Offsets are in characters (code points)."""

    def __init__(self, tokenizer: Pieces, text: str):
        self.text = text
        self._tokenizer = tokenizer
        self._next_label = 1
        self._starts = np.empty(0, np.int64)  # of each piece, in characters
        self._firsts = np.empty(0, np.int64)  # index of each piece's first token
        self._ids: list[int] = []
        self._labels: list[int] = []
        self._replace(0, 0, tokenizer.pieces(text), 0)

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self._ids)

    @property
    def ids(self) -> Sequence[int]:
        return self._ids

    def edit(self, start: int, stop: int, new: str, result: str | None = None) -> None:
        """Replace the characters `start .. stop`. `result` is the text after it, from a caller that
        has made it already. Raises `EditOutOfRange`, with nothing changed."""
        if not 0 <= start <= stop <= len(self.text):
            raise EditOutOfRange(
                f"edit of characters {start} to {stop} in a text of {len(self.text)}"
            )
        text = self.text[:start] + new + self.text[stop:] if result is None else result
        shift = len(new) - (stop - start)
        first = self._piece_before(start)
        begin = int(self._starts[first]) if len(self._starts) else 0
        pieces, last = self._scan(text, begin, start + len(new), len(text), shift)
        self.text = text
        self._replace(first, last, pieces, shift)

    def part(self, start: int, stop: int) -> Tokens:
        """Exactly the tokens of `text[start:stop]`, whatever the text around them."""
        if not 0 <= start <= stop <= len(self.text):
            raise EditOutOfRange(f"characters {start} to {stop} of a text of {len(self.text)}")
        head, first = self._scan(self.text, start, start, stop, 0)
        last = len(self._starts)
        tail: list[tuple[int, list[int]]] = []
        if stop < len(self.text):
            last = self._piece_before(stop)
            if last <= first:
                return self._unlabelled(self._tokenizer.pieces(self.text[start:stop]))
            begin = int(self._starts[last])
            tail = self._tokenizer.pieces(self.text[begin:stop])
        a, b = self._first(first), self._first(last)
        before, after = self._unlabelled(head), self._unlabelled(tail)
        own = Tokens(self._ids[b:], self._labels[b:])  # most of the last pieces are the text's own
        same = common_prefix(after.ids, own.ids)
        labels = self._labels[a:b] + own.labels[:same] + after.labels[same:]
        ids = before.ids + self._ids[a:b] + after.ids
        return Tokens(ids, before.labels + labels, len(before.ids), a)

    def boundary(self, offset: int) -> int:
        """The start of the last piece that starts at or before `offset`."""
        index = int(np.searchsorted(self._starts, offset, side="right")) - 1
        return int(self._starts[index]) if index >= 0 else 0

    def offset(self, token: int) -> int:
        """The character where the piece of the token with index `token` starts."""
        if token >= len(self._ids):
            return len(self.text)
        index = int(np.searchsorted(self._firsts, token, side="right")) - 1
        return int(self._starts[index])

    def index(self, offset: int) -> int:
        """How many tokens the pieces that start before `offset` have."""
        return self._first(int(np.searchsorted(self._starts, offset, side="left")))

    # region Scanning

    def _piece_before(self, offset: int) -> int:
        """Index of a piece that no change from `offset` on can reach, nor any before it: three
        times a piece back over the white space, which looks ahead to what follows it."""
        piece = len(self._starts)
        for _ in range(3):
            while offset > 0 and self.text[offset - 1].isspace():
                offset -= 1
            piece = max(0, int(np.searchsorted(self._starts, offset, side="left")) - 1)
            offset = int(self._starts[piece]) if len(self._starts) else 0
        return piece

    def _scan(
        self, text: str, begin: int, settled_from: int, stop: int, shift: int
    ) -> tuple[list[tuple[int, list[int]]], int]:
        """Pieces of `text[begin:stop]` up to the first boundary at `settled_from` or later that is
        an old boundary moved by `shift`; and that piece's old index (the number of pieces if there
        is none)."""
        look = FIRST_LOOK
        while True:
            end = min(stop, settled_from + look)
            found = self._tokenizer.pieces(text[begin:end])
            reliable = len(found) if end == stop else max(0, len(found) - SETTLED)
            for count, (start, _) in enumerate(found[:reliable]):
                if begin + start < settled_from:
                    continue
                old = begin + start - shift
                index = int(np.searchsorted(self._starts, old))
                if index < len(self._starts) and self._starts[index] == old:
                    return found[:count], index
            if end == stop:
                return found, len(self._starts)
            look *= 4

    def _replace(
        self, first: int, last: int, pieces: Sequence[tuple[int, list[int]]], shift: int
    ) -> None:
        """Put `pieces` (starts relative to the first) for the pieces `first .. last`."""
        begin = int(self._starts[first]) if first < len(self._starts) else 0
        a, b = self._first(first), self._first(last)
        ids = [token for _, tokens in pieces for token in tokens]
        counts = np.fromiter((len(tokens) for _, tokens in pieces), np.int64, len(pieces))
        starts = np.fromiter((begin + start for start, _ in pieces), np.int64, len(pieces))
        firsts = a + np.cumsum(counts) - counts
        self._starts = np.concatenate((self._starts[:first], starts, self._starts[last:] + shift))
        self._firsts = np.concatenate(
            (self._firsts[:first], firsts, self._firsts[last:] + (len(ids) - (b - a)))
        )
        labels = range(self._next_label, self._next_label + len(ids))
        self._next_label = labels.stop
        old = self._ids[a:b]  # tokens that came out as before keep their labels
        head = common_prefix(old, ids)
        tail = common_suffix(old[head:], ids[head:])
        kept = self._labels[a : a + head], self._labels[b - tail : b]
        self._labels[a:b] = [*kept[0], *labels[head : len(ids) - tail], *kept[1]]
        self._ids[a:b] = ids

    def _first(self, piece: int) -> int:
        return int(self._firsts[piece]) if piece < len(self._firsts) else len(self._ids)

    @staticmethod
    def _unlabelled(pieces: Sequence[tuple[int, list[int]]]) -> Tokens:
        ids = [token for _, tokens in pieces for token in tokens]
        return Tokens(ids, [0] * len(ids))

    # endregion
