"""From what was lately changed in a text to what may be changed next, the nearest first."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, islice

from .arguments import Arguments
from .called import called_in
from .change import Change, change_of
from .importers import Renamed
from .proposal import Proposal, Refused
from .recent_edits import Hunk
from .rename import Rename
from .repeated import Core, Repeated
from .syntax.scopes import is_for_all, uses
from .syntax.source import Source

NEWEST = 3  # hunks: what was changed before these is over
MOST_HUNKS = 12  # that are looked at
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
    changes = [
        change
        for hunk in islice(hunks, MOST_HUNKS)
        if (change := change_of(source.text, hunk)) is not None
    ]
    if not changes:
        return []
    newest = {hunk.number for hunk in islice(hunks, NEWEST)}
    found: dict[tuple[int, int], Proposal] = {}
    for each in _found(source, changes, newest):
        if not any(_touches(hunk, each) for hunk in hunks):
            found.setdefault((each.start, each.stop), each)
    return sorted(found.values(), key=lambda each: (each.start < cursor, each.start))


def renamed_for_all(source: Source, hunks: Sequence[Hunk], path: str) -> Iterator[Renamed]:
    """What the newest hunks renamed that other files may know. Raises `TooLong`."""
    changes = [change for hunk in hunks[:NEWEST] if (change := change_of(source.text, hunk))]
    for rename in _renames(changes, {hunk.number for hunk in hunks[:NEWEST]}):
        present = [use for use in uses(source, rename.new) if use.start in rename.at]
        if not any(is_for_all(use) for use in present):
            continue
        if not any(is_for_all(use) for use in uses(source, rename.old)):
            yield Renamed(path, rename.old, rename.new)


def _found(source: Source, changes: list[Change], newest: set[int]) -> Iterator[Proposal]:
    """By renames, then by calls, and what is left by what changes have in common."""
    unsettled: set[tuple[str, str]] = set()
    for rename in _renames(changes, newest):
        found = rename.proposals(source)
        yield from found or ()
        if found is None:
            unsettled.add((rename.old, rename.new))
    rest = [each for each in changes if _is_open(each, unsettled)]
    called = [each for change in changes if (each := called_in(source.text, change)) is not None]
    for each in called:
        if each.change.hunk.number in newest:
            same = [other.name.start for other in called if each.is_like(other)]
            rule = Arguments(each.name.text, each.name.start, each.old, each.new, tuple(same))
            yield from rule.proposals(source)
        if each.is_regrouped and each.change in rest:
            rest.remove(each.change)
    cores = [(change, core) for change in rest if (core := Core.of(change))]
    for (change, one), (_, other) in combinations(cores, 2):
        if change.hunk.number in newest and (rule := Repeated.of(source, one, other)):
            yield from rule.proposals(source)


def _is_open(change: Change, unsettled: set[tuple[str, str]]) -> bool:
    """Whether more of it is to be understood than names that mean the same."""
    if not change.is_renaming:
        return True
    return any((old.text, new.text) in unsettled for old, new in change.renamed)


def _renames(changes: list[Change], newest: set[int]) -> Iterator[Rename]:
    at: dict[tuple[str, str], list[int]] = defaultdict(list)
    latest: dict[tuple[str, str], int] = {}
    for change in changes:
        for old, new in change.renamed:
            pair = old.text, new.text
            at[pair].append(new.start)
            latest[pair] = max(change.hunk.number, latest.get(pair, 0))
    for (old, new), places in at.items():
        number = latest[old, new]
        if number in newest and latest.get((new, old), 0) < number:  # not back again
            yield Rename(old, new, tuple(sorted(places)))


def _touches(hunk: Hunk, proposal: Proposal) -> bool:
    return hunk.start <= proposal.stop and proposal.start <= hunk.stop
