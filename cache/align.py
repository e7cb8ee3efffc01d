"""Alignment of a new prompt with the cached tokens: plain Python over token ids and labels.

What the two prompts have in common at their beginning is exactly what a fresh prefill would give.
What they have in common at their end is recognised by ids, and what lies between that beginning and
that end by labels (a label is one token's identity from one prompt to the next, given by whoever
tokenises the text).
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple


class Match(NamedTuple):
    """`length` tokens, `old ..` in the cache and `new ..` in the prompt."""

    old: int
    new: int
    length: int

    @property
    def old_stop(self) -> int:
        return self.old + self.length

    @property
    def new_stop(self) -> int:
        return self.new + self.length


def align(
    old: Sequence[int],
    new: Sequence[int],
    old_labels: Sequence[int],
    new_labels: Sequence[int],
    shortest: int = 1,
) -> list[Match]:
    """Matches in ascending order in both. Those behind the common beginning have `shortest` tokens
    or more: a carried run costs a segment, and is not worth it for a few tokens."""
    head = common_prefix(old, new)
    tail = common_suffix(old[head:], new[head:])
    matches = [Match(0, 0, head)] if head else []
    between = _by_label(old_labels[head : len(old) - tail], new_labels[head : len(new) - tail])
    later = [Match(m.old + head, m.new + head, m.length) for m in between]
    if tail:
        later.append(Match(len(old) - tail, len(new) - tail, tail))
    return matches + [m for m in _joined(later) if m.length >= shortest]


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many elements are equal from the beginning; compares slices, not elements."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def common_suffix(a: Sequence[int], b: Sequence[int]) -> int:
    return common_prefix(a[::-1], b[::-1])


def _by_label(old: Sequence[int], new: Sequence[int]) -> list[Match]:
    """Single tokens with equal labels, as many as can be had in ascending order in both."""
    where = {label: index for index, label in enumerate(old) if label}
    pairs = [(where[label], index) for index, label in enumerate(new) if label in where]
    return [Match(a, b, 1) for a, b in _longest_ascending(pairs)]


def _longest_ascending(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose first elements ascend (patience sorting)."""
    tops: list[int] = []  # first element of the best chain of each length
    chains: list[int] = []  # its index in pairs
    previous: list[int] = []
    for index, (value, _) in enumerate(pairs):
        length = bisect_left(tops, value)
        previous.append(chains[length - 1] if length else -1)
        tops[length : length + 1] = [value]
        chains[length : length + 1] = [index]
    result: list[tuple[int, int]] = []
    index = chains[-1] if chains else -1
    while index >= 0:
        result.append(pairs[index])
        index = previous[index]
    return result[::-1]


def _joined(matches: Sequence[Match]) -> list[Match]:
    result: list[Match] = []
    for match in matches:
        last = result[-1] if result else None
        if last and last.old_stop == match.old and last.new_stop == match.new:
            result[-1] = last._replace(length=last.length + match.length)
        else:
            result.append(match)
    return result
