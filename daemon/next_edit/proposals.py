"""From what was lately changed in a text to what may be changed next, the nearest first."""

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations, islice

from .arguments import Arguments
from .called import called_in
from .change import Change, changed_spans
from .proposal import Proposal, Refused
from .recent_edits import Hunk
from .renames import changes_of, renames
from .repeated import Core, Repeated
from .syntax.source import Source

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
    changes = list(changes_of(source, hunks))
    if not changes:
        return []
    newest = {hunk.number for hunk in islice(hunks, NEWEST)}
    found: dict[tuple[int, int], Proposal] = {}
    spans = list(_spans(source, hunks))
    for each, is_again in _found(source, changes, newest):
        if is_again or not any(_touches(span, each) for span in spans):
            found.setdefault((each.start, each.stop), each)
    return sorted(found.values(), key=lambda each: (each.stop < cursor, each.start))


def _spans(source: Source, hunks: Sequence[Hunk]) -> Iterator[tuple[int, int]]:
    for hunk in hunks:
        source.check()
        yield from changed_spans(source.text, hunk)


def is_undoing(hunks: Sequence[Hunk]) -> bool:
    """Whether what was done last was to take back what was done."""
    return len(hunks[0].undone) > 1


def _found(
    source: Source, changes: list[Change], newest: set[int]
) -> Iterator[tuple[Proposal, bool]]:
    """By renames, then by calls, and what is left by what changes have in common; and whether it is
    a second change of what was changed before."""
    unsettled: set[tuple[str, str]] = set()
    for rename, is_again in renames(source, changes, newest):
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


def _touches(span: tuple[int, int], proposal: Proposal) -> bool:
    return span[0] <= proposal.stop and proposal.start <= span[1]
