"""What each open file's user has lately changed, and may change next."""

import logging
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress

from ...models.grammar.overlap import common_prefix, common_suffix
from ..file_text import FileText
from ..project.reading.syntax import Stopwatch, TooLong
from .importers import Renamed
from .model import NextEditModel
from .open_text import OpenText
from .proposal import Proposal, Refused
from .proposals import is_undoing, next_edit
from .recent_edits import Hunk, RecentEdits
from .renames import again, renamed_for_all
from .syntax.source import Source

logger = logging.getLogger(__name__)


class Proposer:
    """Owns the recent edits of all files."""

    def __init__(self) -> None:
        self._recent: dict[Hashable, RecentEdits] = {}
        self._known: dict[Hashable, tuple[str, list[Renamed]]] = {}  # of a text as it was

    def saw(self, file: Hashable, before: str, start: int, stop: int, new: str) -> None:
        """In a file's text, which was `before`, characters `start .. stop` became `new`."""
        old = before[start:stop]
        head = common_prefix(old, new)
        tail = common_suffix(old, new, min(len(old), len(new)) - head)
        if head + tail < max(len(old), len(new)):
            recent = self._recent.setdefault(file, RecentEdits())
            recent.saw(before, start + head, stop - tail, new[head : len(new) - tail])

    def forget(self, file: Hashable) -> None:
        """It was closed, or its text is another one."""
        self._recent.pop(file, None)
        self._known.pop(file, None)

    def next_edit(
        self,
        file: OpenText,
        offset: int,
        others: Sequence[OpenText],
        refused: Collection[Refused],
        pause: Callable[[], None],
        model: NextEditModel | None = None,
    ) -> Proposal | None:
        """What a file's user may want to change next in it, the nearest to the cursor at `offset`;
        in the characters of the editor's text, as all proposals that are returned. It may follow
        from what was changed in `others`. `pause` is called between small steps, and may raise. The
        `model` is asked where no rule finds anything."""
        if file.is_too_long:
            return None
        hunks, cursor = self._hunks(file), file.text.offset(offset)
        found = _by_rules(file, hunks, cursor, refused, pause)
        if found is None:
            renamed = self._renamed(others, pause)
            found = next(self._of_others(file, renamed, _paths(file, others), refused, pause), None)
        if found is None and model is not None and hunks:
            proposed = model.proposals(file.name, file.text.text, hunks, cursor, pause)
            found = first_good(proposed, file.language, file.text.text, refused, pause)
        return None if found is None else _in_raw(file.text, found)

    def elsewhere(
        self, file: OpenText, others: Sequence[OpenText], pause: Callable[[], None]
    ) -> list[tuple[OpenText, Proposal]]:
        """What follows for each of `others` from what was changed in any file."""
        found: list[tuple[OpenText, Proposal]] = []
        renamed = list(self._renamed((file, *others), pause))
        for each in others:
            paths = _paths(each, (file, *others))
            proposal = next(self._of_others(each, renamed, paths, (), pause), None)
            if proposal is not None:
                found.append((each, _in_raw(each.text, proposal)))
        return found

    def _hunks(self, file: OpenText) -> list[Hunk]:
        """The newest first."""
        return list(self._recent.get(file.key, ()))

    def _of_others(
        self,
        file: OpenText,
        renamed: Iterable[tuple[OpenText, Renamed]],
        paths: frozenset[str],
        refused: Collection[Refused],
        pause: Callable[[], None],
    ) -> Iterator[Proposal]:
        """What follows for a file from what was renamed in others. `paths`: of the files that are
        known."""
        hunks = self._hunks(file)
        if not file.is_readable or not file.path or (hunks and is_undoing(hunks)):
            return
        with suppress(TooLong):
            source: Source | None = None
            for other, what in renamed:
                if other.key == file.key or other.scheme != file.scheme:
                    continue
                for each in again(what, file.text.text, hunks):
                    source = source or Source(file.language, file.text.text, Stopwatch(pause))
                    found = each.proposals(source, file.posix_path, paths)
                    yield from (one for one in found if one.refusal not in refused)

    def _renamed(
        self, files: Sequence[OpenText], pause: Callable[[], None]
    ) -> Iterator[tuple[OpenText, Renamed]]:
        """In which of these files, and what."""
        for file in files:
            hunks = self._hunks(file)
            if not hunks or not file.is_readable or not file.path:
                continue
            text, found = self._known.get(file.key, ("", []))
            if text is not file.text.text:
                text, found = file.text.text, []
                with suppress(TooLong):
                    source = Source(file.language, text, Stopwatch(pause))
                    found += renamed_for_all(source, hunks, file.posix_path)
                self._known[file.key] = text, found
            yield from ((file, each) for each in found)


def _paths(file: OpenText, files: Sequence[OpenText]) -> frozenset[str]:
    """Of all files, but this one."""
    here = [each for each in files if each.path and each.scheme == file.scheme]
    return frozenset(each.posix_path for each in here if each.key != file.key)


def _in_raw(text: FileText, found: Proposal) -> Proposal:
    start, stop = text.raw_offset(found.start), text.raw_offset(found.stop)
    new = found.new.replace("\n", text.newline(start))
    return Proposal(start, stop, text.raw[start:stop], new, found.why, found.confidence)


def _by_rules(
    file: OpenText,
    hunks: Sequence[Hunk],
    cursor: int,
    refused: Collection[Refused],
    pause: Callable[[], None],
) -> Proposal | None:
    """What follows from the language and from what was done twice."""
    if not hunks or not file.is_readable:
        return None
    try:
        source = Source(file.language, file.text.text, Stopwatch(pause))
        return next_edit(source, hunks, cursor, refused)
    except TooLong:
        logger.info("a file takes too long to read for what may be changed next in it")
        return None


def first_good(
    proposed: Iterable[Proposal],
    language: str,
    text: str,
    refused: Collection[Refused],
    pause: Callable[[], None],
) -> Proposal | None:
    """The first that was not refused and leaves the text as good a program as it is."""
    for each in proposed:
        if each.refusal in refused:
            continue
        if not Source.knows(language):
            return each
        after = text[: each.start] + each.new + text[each.stop :]
        with suppress(TooLong):
            source = Source(language, text, Stopwatch(pause))
            if source.again(after).errors <= source.errors:
                return each
    return None
