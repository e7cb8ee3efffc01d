"""What was lately changed in a file, as a person sees it: not keys, but what stood there before and
what stands there now.
"""

from dataclasses import dataclass, replace

MOST_HUNKS = 128  # of a file; the one changed longest ago is forgotten first
MOST_CHARACTERS = 2_000  # of a hunk's text, before or after: what is larger is no small change


@dataclass(frozen=True, slots=True)
class Hunk:
    """The characters `start .. stop` of the text as it is now, where `old` stood before."""

    start: int
    stop: int
    old: str
    number: int  # counts edits: the newest has the largest
    undone: str = ""  # what stood there between, where that is `old` again


class RecentEdits:
    """Owns one file's hunks: apart from each other, none on a line where another one is."""

    def __init__(self) -> None:
        self._hunks: list[Hunk] = []  # in their order in the text
        self._edits = 0

    def __iter__(self):
        """The newest first."""
        return iter(sorted(self._hunks, key=lambda hunk: -hunk.number))

    def saw(self, before: str, start: int, stop: int, new: str) -> None:
        """In the text `before`, the characters `start .. stop` became `new`."""
        self._edits += 1
        touched = [hunk for hunk in self._hunks if _is_beside(before, hunk, start, stop, new)]
        left = min([start, *(hunk.start for hunk in touched)])
        right = max([stop, *(hunk.stop for hunk in touched)])
        grown = len(new) - (stop - start)
        merged = Hunk(left, right + grown, _before(before, touched, left, right), self._edits)
        rest = [hunk for hunk in self._hunks if hunk not in touched]
        self._hunks = [hunk for hunk in rest if hunk.stop <= left]
        after = before[left:start] + new + before[stop:right]
        if merged.old == after and touched:  # it is not to be proposed again
            merged = replace(merged, undone=before[left:right])
        if (merged.old != after or touched) and _is_small(merged, after):
            self._hunks.append(merged)
        self._hunks += [_moved(hunk, grown) for hunk in rest if hunk.start >= right]
        if len(self._hunks) > MOST_HUNKS:
            self._hunks.remove(min(self._hunks, key=lambda hunk: hunk.number))


def _is_small(hunk: Hunk, after: str) -> bool:
    return max(len(hunk.old), len(after)) <= MOST_CHARACTERS


def _is_beside(before: str, hunk: Hunk, start: int, stop: int, new: str) -> bool:
    """Whether an edit and a hunk touch, or are on the same line."""
    if start <= hunk.stop and hunk.start <= stop:
        return True
    between = (hunk.stop, start) if hunk.stop < start else (stop, hunk.start)
    return before.find("\n", *between) < 0


def _before(before: str, hunks: list[Hunk], left: int, right: int) -> str:
    """What once stood at `left .. right`, where these hunks are."""
    parts: list[str] = []
    for hunk in hunks:
        parts += [before[left : hunk.start], hunk.old]
        left = hunk.stop
    return "".join([*parts, before[left:right]])


def _moved(hunk: Hunk, by: int) -> Hunk:
    return replace(hunk, start=hunk.start + by, stop=hunk.stop + by)
