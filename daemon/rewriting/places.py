"""Where a model is asked to go on: around the cursor, and where something still stands that was
just taken away elsewhere.
"""

import re
from collections.abc import Sequence

from ...models.prompts.next_edit.question import Format, Question, Rows, offset
from ..next_edit.recent_edits import Hunk
from ..next_edit.syntax.lexemes import lexemes
from .changes import recent_change, recent_changes, undone

MOST_CHANGES = 3  # that a model is shown: the newest
LEAST_CHARACTERS = 3  # of a word that is looked for
MOST_COLUMNS = 1_000  # of a line; nobody wrote a longer one


def questions(
    kind: Format, path: str, text: str, hunks: Sequence[Hunk], cursor: int
) -> list[Question]:
    """At most two, the one around the cursor first; none where the text cannot be shown."""
    hunks = [hunk for hunk in hunks if text[hunk.start : hunk.stop] != hunk.old]
    if not hunks or any(mark in text for mark in kind.marks):
        return []
    lines = tuple(text.removesuffix("\n").split("\n"))
    first = _question(kind, path, text, lines, hunks, cursor)
    found = [first]
    place = elsewhere(path, text, hunks[0], lines, first.window)
    if place is not None:
        found.append(_question(kind, path, text, lines, hunks, place))
    return [each for each in found if all(len(line) <= MOST_COLUMNS for line in each.current)]


def elsewhere(path: str, text: str, hunk: Hunk, lines: Sequence[str], window: Rows) -> int | None:
    """The first character, outside of a window, of a word that a hunk took away: below the hunk, or
    else anywhere."""
    change = recent_change(path, text, hunk)
    words = _words(change.before) - _words(change.after)
    if not words:
        return None
    pattern = rf"(?<![\w$])(?:{'|'.join(map(re.escape, sorted(words)))})(?!\w)"
    start, stop = offset(lines, window.start), offset(lines, window.stop)
    places = [found.start() for found in re.finditer(pattern, text)]
    places = [place for place in places if not start <= place < stop]
    return min(places, key=lambda place: (place < hunk.start, place), default=None)


def _words(lines: Sequence[str]) -> set[str]:
    found = (each for line in lines for each in lexemes(line) if each.kind == "name")
    return {each.text for each in found if len(each.text) >= LEAST_CHARACTERS}


def _question(
    kind: Format,
    path: str,
    text: str,
    lines: tuple[str, ...],
    hunks: Sequence[Hunk],
    cursor: int,
) -> Question:
    row = min(text.count("\n", 0, cursor), len(lines) - 1)
    window = kind.window(lines, row)
    start, stop = offset(lines, window.start), offset(lines, window.stop) - 1
    original = undone(text, hunks[0], start, stop)
    column = cursor - offset(lines, row)
    changes = recent_changes(path, text, hunks, MOST_CHANGES)
    return Question(path, changes, lines, window, tuple(original.split("\n")), row, column)
