"""Truncation of the text around the cursor to a token budget, at the far ends.

Lines are dropped whole, the start of the prefix and the end of the suffix first. Text is cut by a
generous character bound before it is tokenised, so that a file of megabytes costs no more than
one of kilobytes, and one line longer than the budget is cut inside, at a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

CHARACTERS_PER_TOKEN = 12  # generous: code averages 3 to 4; only runs of blanks do better


class Encoder(Protocol):
    """The two things that trimming asks of a tokenizer."""

    def encode(self, text: str) -> list[int]: ...
    def token_bytes(self, token: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Truncated:
    """What is left of the text around the cursor, as token ids."""

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]


def fit(
    encoder: Encoder, prefix: str, suffix: str, budget_tokens: int, prefix_share: float
) -> Truncated:
    """The end of `prefix` and the start of `suffix` that fit in `budget_tokens` together.

    `prefix_share` of the budget is the prefix's when both sides are too long; what one side
    leaves unused goes to the other.
    """
    bound = budget_tokens * CHARACTERS_PER_TOKEN
    left = encoder.encode(prefix[max(0, len(prefix) - bound) :])
    right = encoder.encode(suffix[:bound])
    left_tokens, right_tokens = _split(
        _need(left, cut=len(prefix) > bound, budget=budget_tokens),
        _need(right, cut=len(suffix) > bound, budget=budget_tokens),
        budget_tokens,
        prefix_share,
    )
    if len(prefix) > bound or len(left) > left_tokens:
        left = _last(encoder, left, left_tokens)
    if len(suffix) > bound or len(right) > right_tokens:
        right = _first(encoder, right, right_tokens)
    return Truncated(tuple(left), tuple(right))


def _need(tokens: Sequence[int], cut: bool, budget: int) -> int:
    """Tokens that a side would like: all the budget when text was left out of `tokens`."""
    return max(len(tokens), budget) if cut else len(tokens)


def _split(left: int, right: int, budget: int, prefix_share: float) -> tuple[int, int]:
    """Divide the budget between two needs; the share counts only when both are too large."""
    if left + right <= budget:
        return left, right
    left_share = round(budget * prefix_share)
    if left <= left_share:
        return left, budget - left
    if right <= budget - left_share:
        return budget - right, right
    return left_share, budget - left_share


def _last(encoder: Encoder, tokens: Sequence[int], limit: int) -> list[int]:
    """The last whole lines of `tokens` that encode to at most `limit` tokens."""
    kept = list(tokens[len(tokens) - min(limit, len(tokens)) :])
    data = b"".join(map(encoder.token_bytes, kept))
    start = data.find(b"\n") + 1
    while 0 < start <= len(data):
        lines = encoder.encode(data[start:].decode())
        if len(lines) <= limit:
            break
        start = data.find(b"\n", start) + 1
    else:
        lines = []
    if 2 * len(lines) >= limit:
        return lines
    while kept and _continues(encoder.token_bytes(kept[0])):  # inside a long line
        del kept[0]
    return kept


def _first(encoder: Encoder, tokens: Sequence[int], limit: int) -> list[int]:
    """The first whole lines of `tokens` that encode to at most `limit` tokens."""
    kept = list(tokens[:limit])
    data = b"".join(map(encoder.token_bytes, kept))
    end = data.rfind(b"\n") + 1
    while end > 0:
        lines = encoder.encode(data[:end].decode())
        if len(lines) <= limit:
            break
        end = data.rfind(b"\n", 0, end - 1) + 1
    else:
        lines = []
    if 2 * len(lines) >= limit:
        return lines
    following = list(tokens[limit : limit + 1])
    while kept and following and _continues(encoder.token_bytes(following[0])):
        following = [kept.pop()]
    return kept


def _continues(data: bytes) -> bool:
    """Whether a token's bytes start inside a UTF-8 character."""
    return bool(data) and 0x80 <= data[0] < 0xC0
