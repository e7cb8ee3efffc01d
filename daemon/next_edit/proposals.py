"""From what was lately changed in a text to what may be changed next, the nearest first."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, islice

from .arguments import Arguments
from .called import called_in
from .change import Change, change_of, changed_spans
from .importers import Renamed
from .proposal import Proposal, Refused
from .recent_edits import Hunk
from .rename import Rename
from .repeated import Core, Repeated
from .syntax.scopes import is_export, is_for_all, uses
from .syntax.source import Source

NAME = re.compile(r"[$]?[^\W\d]\w*")
EXPORTS = "module.exports"
NEWEST = 3  # hunks: what was changed before these is over
MOST_REPEATED = 12  # changes that are compared with each other
MOST_READ = 3  # proposals whose outcome is read


def next_edit(
    source: Source, hunks: Sequence[Hunk], cursor: int, refused: Collection[Refused] = ()
) -> Proposal | None:
    """The nearest of `proposals` that leaves the text as good a program as it is. Raises
    `TooLong`."""
    found = (p for p in proposals(source, hunks, cursor) if p.refusal not in refused)
    for each in islice(found, MOST_READ):
        text = source.text[: each.start] + each.new + source.text[each.stop :]
        if source.again(text).errors <= source.errors:
            return each
    return None


def proposals(source: Source, hunks: Sequence[Hunk], cursor: int) -> list[Proposal]:
    """`hunks`: the newest first. Those behind the cursor come first, then those before it. Raises
    `TooLong`."""
    if hunks and is_undoing(hunks):
        return []
    changes = list(_changes(source, hunks))
    if not changes:
        return []
    newest = {hunk.number for hunk in islice(hunks, NEWEST)}
    found: dict[tuple[int, int], Proposal] = {}
    spans = list(_spans(source, hunks))
    for each, is_again in _found(source, changes, newest):
        if is_again or not any(_touches(span, each) for span in spans):
            found.setdefault((each.start, each.stop), each)
    return sorted(found.values(), key=lambda each: (each.stop < cursor, each.start))


def _changes(source: Source, hunks: Sequence[Hunk]) -> Iterator[Change]:
    for hunk in hunks:
        source.check()
        if (change := change_of(source.text, hunk)) is not None:
            yield change


def _spans(source: Source, hunks: Sequence[Hunk]) -> Iterator[tuple[int, int]]:
    for hunk in hunks:
        source.check()
        yield from changed_spans(source.text, hunk)


def is_undoing(hunks: Sequence[Hunk]) -> bool:
    """Whether what was done last was to take back what was done."""
    return len(hunks[0].undone) > 1


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
    """What the newest hunks renamed that other files may know. Raises `TooLong`."""
    # What is new is another thing.
    changes = [change for change in _changes(source, hunks) if change.is_renaming]
    if EXPORTS in source.text:
        return  # others know it by a name that is given there
    for rename, is_again in _renames(source, changes, {hunk.number for hunk in hunks}):
        present, former = uses(source, rename.new), uses(source, rename.old)
        done = [use for use in present if use.start in rename.at and is_for_all(use)]
        rest = [use for use in present if use.start not in rename.at]
        if not done or is_again or any(is_for_all(use) for use in (*former, *rest)):
            continue
        if not any(is_export(use) for use in (*present, *former)):
            yield Renamed(path, rename.old, rename.new)


def _found(
    source: Source, changes: list[Change], newest: set[int]
) -> Iterator[tuple[Proposal, bool]]:
    """By renames, then by calls, and what is left by what changes have in common; and whether it is
    a second change of what was changed before."""
    unsettled: set[tuple[str, str]] = set()
    for rename, is_again in _renames(source, changes, newest):
        found = rename.proposals(source)
        yield from ((each, is_again) for each in found or ())
        if found is None:
            unsettled.add((rename.old, rename.new))
    for each in _other_changes(source, changes, newest, unsettled):
        yield each, False


def _other_changes(
    source: Source, changes: list[Change], newest: set[int], unsettled: set[tuple[str, str]]
) -> Iterator[Proposal]:
    rest = [each for each in changes if _is_open(each, unsettled)]
    called = [each for change in changes if (each := called_in(source.text, change)) is not None]
    for each in called:
        if each.change.hunk.number in newest:
            same = [other.name.start for other in called if each.is_like(other)]
            rule = Arguments(each.name.text, each.name.start, each.old, each.new, tuple(same))
            yield from rule.proposals(source)
        if each.is_regrouped and each.change in rest:
            rest.remove(each.change)
    cores = [(change, core) for change in rest[:MOST_REPEATED] if (core := Core.of(change))]
    for (change, one), (_, other) in combinations(cores, 2):
        if change.hunk.number in newest and (rule := Repeated.of(source, one, other)):
            yield from rule.proposals(source)


def _is_open(change: Change, unsettled: set[tuple[str, str]]) -> bool:
    """Whether more of it is to be understood than names that mean the same."""
    if not change.is_renaming:
        return True
    return any((old.text, new.text) in unsettled for old, new in change.renamed)


def _renames(
    source: Source, changes: list[Change], newest: set[int]
) -> Iterator[tuple[Rename, bool]]:
    """And whether it is of what was renamed before, under its first new name. Raises `TooLong`."""
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


def _put_in(text: str, change: Change, new: str) -> set[int]:
    """Where a change has put a name into lines that had it not, also in strings."""
    if _words(new, change.former):
        return set()
    return {change.start + at for at in _words(new, text[change.start : change.stop])}


def _words(name: str, text: str) -> list[int]:
    if name not in text:
        return []
    return [found.start() for found in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text)]


def _touches(span: tuple[int, int], proposal: Proposal) -> bool:
    return span[0] <= proposal.stop and proposal.start <= span[1]
