"""Drafts copied from where the last tokens stood before: in the file, in what was deleted from it
or inserted lately, in other open files, in the completion itself.

The longest match of the last tokens is found by comparing arrays, backwards from every place where
the last token stands. That is what a suffix automaton answers too, but one would have to be built
anew or patched at every edit; a hundred thousand tokens are compared in tens of microseconds, and
an edited file needs no care at all.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .draft import Context, Draft, Scene, Tokens, Verified

SEPARATOR = -1  # between texts; no token
LONGEST_MATCH = 64
MOST_TOKENS = 200_000  # of all texts; what is least apt is left out
ROOM_TOKENS = 4_096  # for what is generated, at first

MOST_PLACES = 32  # that vote; the last ones

# How often the next token is right by the length of the match in tokens, on Python files.
ACCURACY = (
    (1, 0.25), (2, 0.38), (3, 0.48), (4, 0.58), (5, 0.65), (8, 0.74), (12, 0.86), (16, 0.92),
    (32, 0.97), (64, 0.985),
)  # fmt: skip


class Lookup:
    """`draft.Drafter`. Owns the texts of one completion, as one array of tokens."""

    name = "lookup"
    free = True
    taps: frozenset[int] = frozenset()

    def __init__(self) -> None:
        self._texts = np.empty(0, np.int32)
        self._used = 0  # of the array
        self._own = 0  # where the text starts that is being continued
        self._before = 0  # where the completion starts

    def begin(self, scene: Scene) -> None:
        """Lay out other texts, the right side, and last the left side, which grows."""
        texts = [*scene.others, scene.after]
        room = MOST_TOKENS - len(scene.before)
        kept: list[Tokens] = []
        for text in reversed(texts):
            room -= len(text) + 1
            if room < 0:
                break
            kept.append(text)
        parts = [np.asarray([SEPARATOR], np.int32)]
        for text in reversed(kept):
            parts += [np.asarray(text, np.int32), parts[0]]
        self._own = sum(map(len, parts))
        parts.append(np.asarray(scene.before[-MOST_TOKENS:], np.int32))
        self._before = self._used = sum(map(len, parts))
        self._texts = np.concatenate([*parts, np.empty(ROOM_TOKENS, np.int32)])

    def propose(self, context: Context, budget: int) -> Draft:
        """What followed the longest match; where several are as long, what followed most often."""
        self._extend(context.path)
        found, length = self._longest()
        places: list[int] = found[-MOST_PLACES:].tolist()
        tokens: list[int] = []
        confidences: list[float] = []
        while len(places) > 1 and len(tokens) < budget:
            following = self._texts[[place + 1 for place in places]].tolist()
            votes = Counter(reversed(following))  # of equals, the latest comes first
            best = max(votes, key=lambda token: (token != SEPARATOR) * votes[token])
            if best == SEPARATOR:
                break
            tokens.append(best)
            confidences.append(accuracy(length) * votes[best] / len(places))
            length += 1
            places = [p + 1 for p, token in zip(places, following, strict=True) if token == best]
            places = [p for p in places if p + 1 < self._used]
        if len(places) == 1:  # one place is left: the rest is its text
            start = places[0] + 1
            run = self._texts[start : min(self._used, start + budget - len(tokens))].tolist()
            if SEPARATOR in run:
                del run[run.index(SEPARATOR) :]
            tokens += run
            confidences += [accuracy(length + more) for more in range(len(run))]
        return Draft(tuple(tokens), tuple(confidences))

    def observe(self, verified: Verified) -> None:
        """Nothing is learnt but the text itself, which the next context shows."""

    def _extend(self, path: Sequence[int]) -> None:
        """Have `path` behind the left side."""
        stop = self._before + len(path)
        if stop > len(self._texts):
            more = np.empty(stop + ROOM_TOKENS, np.int32)
            more[: self._used] = self._texts[: self._used]
            self._texts = more
        self._texts[self._before : stop] = path
        self._used = stop

    def _longest(self) -> tuple[NDArray[np.intp], int]:
        """Where the longest match of the text's end ends, ascending, and its length. Where nothing
        follows is no match."""
        texts, last = self._texts, self._used - 1
        most = min(LONGEST_MATCH, self._used - self._own)
        if most < 1:
            return np.empty(0, np.intp), 0
        places = np.flatnonzero(texts[:last] == texts[last])
        places = places[texts[places + 1] != SEPARATOR]
        length = 1 if len(places) else 0
        while len(places) and length < most:
            longer = places[texts[places - length] == texts[last - length]]
            if not len(longer):
                break
            places, length = longer, length + 1
        return places, length


@cache
def accuracy(length: int) -> float:
    """How likely the next token is right after a match of `length` tokens."""
    for (a, low), (b, high) in pairwise(ACCURACY):
        if length <= b:
            return low + (high - low) * max(0, length - a) / (b - a)
    return ACCURACY[-1][1]
