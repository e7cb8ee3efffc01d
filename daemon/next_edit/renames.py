"""What changes gave other names: for the file itself, and for those that import it."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .change import Change, change_of
from .importers import Renamed
from .recent_edits import Hunk
from .rename import Rename
from .syntax.scopes import is_export, is_for_all, uses
from .syntax.source import Source

NAME = re.compile(r"[$]?[^\W\d]\w*")
EXPORTS = "module.exports"


def changes_of(source: Source, hunks: Sequence[Hunk]) -> Iterator[Change]:
    """What the hunks did. Raises `TooLong`."""
    for hunk in hunks:
        source.check()
        if (change := change_of(source.text, hunk)) is not None:
            yield change


def renames(
    source: Source, changes: list[Change], newest: set[int]
) -> Iterator[tuple[Rename, bool]]:
    """Each, and whether it is of what was renamed before, under its first new name. Raises
    `TooLong`."""
    news: dict[str, set[str]] = defaultdict(set)  # by the old name
    for change in changes:
        for old, new in change.renamed:
            news[old.text].add(new.text)
    at: dict[tuple[str, str], set[int]] = defaultdict(set)
    latest: dict[tuple[str, str], int] = defaultdict(int)
    alone: dict[tuple[str, str], int] = defaultdict(int)  # latest, without another new name beside
    for change in changes:
        source.check()
        here: dict[tuple[str, str], set[int]] = defaultdict(set)
        for old, new in change.renamed:
            here[old.text, new.text].add(new.start)
        for old in news.keys() & set(NAME.findall(change.former)):
            for new in news[old]:
                here[old, new] |= _put_in(source.text, change, new)
        for (old, new), places in here.items():
            if not places:
                continue
            at[old, new] |= places
            latest[old, new] = max(change.hunk.number, latest[old, new])
            if not any(here.get((old, other)) for other in news[old] - {new}):
                alone[old, new] = max(change.hunk.number, alone[old, new])
    for (old, new), places in list(at.items()):
        number = latest[old, new]
        if number not in newest or latest.get((new, old), 0) >= number:  # not back again
            continue
        yield Rename(old, new, tuple(sorted(places))), False
        for before in sorted(news[old] - {new}):
            is_former = alone[old, before] < alone[old, new]
            if latest[old, before] < number or (latest[old, before] == number and is_former):
                yield Rename(before, new, tuple(sorted(places))), True


def again(renamed: Renamed, text: str, hunks: Sequence[Hunk]) -> Iterator[Renamed]:
    """What stands in a text, in which `hunks` were changed, of what was renamed elsewhere: also by
    a name that it had between."""
    between = {renamed.old}
    for hunk in hunks:
        change = change_of(text, hunk)
        pairs = () if change is None else change.renamed
        between |= {new.text for old, new in pairs if old.text == renamed.old}
    for name in sorted(between - {renamed.new}):
        if name in text:
            yield replace(renamed, old=name)


def renamed_for_all(source: Source, hunks: Sequence[Hunk], path: str) -> Iterator[Renamed]:
    """What hunks renamed that other files may know. Raises `TooLong`."""
    # What is new is another thing.
    changes = [change for change in changes_of(source, hunks) if change.is_renaming]
    if EXPORTS in source.text:
        return  # others know it by a name that is given there
    for rename, is_again in renames(source, changes, {hunk.number for hunk in hunks}):
        present, former = uses(source, rename.new), uses(source, rename.old)
        done = [use for use in present if use.start in rename.at and is_for_all(use)]
        rest = [use for use in present if use.start not in rename.at]
        if not done or is_again or any(is_for_all(use) for use in (*former, *rest)):
            continue
        if not any(is_export(use) for use in (*present, *former)):
            yield Renamed(path, rename.old, rename.new)


def _put_in(text: str, change: Change, new: str) -> set[int]:
    """Where a change has put a name into lines that had it not, also in strings."""
    if _words(new, change.former):
        return set()
    return {change.start + at for at in _words(new, text[change.start : change.stop])}


def _words(name: str, text: str) -> list[int]:
    if name not in text:
        return []
    return [found.start() for found in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)]
