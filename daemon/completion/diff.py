"""The difference of two versions of a text, as edits: for texts that come whole, and edits
that replace more than they change.

One changed region is found by comparing both ends; if it is large on both sides, its lines are
compared, so that an edit at the top and one at the bottom do not make everything between them new.
"""

from difflib import SequenceMatcher
from typing import NamedTuple

from ...models.grammar.overlap import common_prefix, common_suffix

SMALL = 400  # characters: a region not worth comparing by lines
MOST_LINES = 2_000  # of a region; comparing more would take longer than encoding them


class Hunk(NamedTuple):
    """Replace the characters `start .. stop` by `new`."""

    start: int
    stop: int
    new: str


def hunks(old: str, new: str) -> list[Hunk]:
    """Edits that turn `old` into `new`, last one first, so that each can be applied in turn."""
    if old == new:
        return []
    head = common_prefix(old, new)
    tail = common_suffix(old, new, min(len(old), len(new)) - head)
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    if min(len(a), len(b)) < SMALL:
        return [Hunk(head, head + len(a), b)]
    lines_a, lines_b = a.splitlines(keepends=True), b.splitlines(keepends=True)
    if max(len(lines_a), len(lines_b)) > MOST_LINES:
        return [Hunk(head, head + len(a), b)]
    starts = [head]
    for line in lines_a:
        starts.append(starts[-1] + len(line))
    matcher = SequenceMatcher(None, lines_a, lines_b, autojunk=False)
    return [
        Hunk(starts[i], starts[j], "".join(lines_b[k:m]))
        for tag, i, j, k, m in reversed(matcher.get_opcodes())
        if tag != "equal"
    ]
