"""From hunks to what a model is shown of them: whole lines, before and after."""

from collections.abc import Sequence

from ...models.prompts.next_edit.question import RecentChange
from ..next_edit.recent_edits import Hunk

CONTEXT_LINES = 3


def recent_changes(
    path: str, text: str, hunks: Sequence[Hunk], most: int
) -> tuple[RecentChange, ...]:
    """The `most` newest, the oldest first. `hunks`: of the file at `path`, the newest first."""
    found = [recent_change(path, text, hunk) for hunk in hunks[:most]]
    return tuple(reversed([each for each in found if each.before != each.after]))


def recent_change(path: str, text: str, hunk: Hunk) -> RecentChange:
    """Of one hunk: the lines of it that differ."""
    start = text.rfind("\n", 0, hunk.start) + 1
    end = text.find("\n", hunk.stop)
    stop = len(text) if end < 0 else end
    after = text[start:stop].split("\n")
    before = (text[start : hunk.start] + hunk.old + text[hunk.stop : stop]).split("\n")
    head, tail = _same(before, after)
    line = text.count("\n", 0, start)
    lines = text.split("\n")
    return RecentChange(
        path,
        line + head,
        above=tuple(lines[max(0, line + head - CONTEXT_LINES) : line + head]),
        before=tuple(before[head : len(before) - tail]),
        after=tuple(after[head : len(after) - tail]),
        below=tuple(lines[line + len(after) - tail :][:CONTEXT_LINES]),
    )


def undone(text: str, hunk: Hunk, start: int, stop: int) -> str:
    """Characters `start .. stop` of a text as they were before a hunk of it."""
    left, right = max(start, hunk.start), min(stop, hunk.stop)
    if left > right:
        return text[start:stop]
    return text[start:left] + hunk.old + text[right:stop]


def _same(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many lines at the beginning, and how many at the end."""
    most = min(len(before), len(after))
    head = next((at for at in range(most) if before[at] != after[at]), most)
    most -= head
    tail = next((at for at in range(most) if before[-1 - at] != after[-1 - at]), most)
    return head, tail
