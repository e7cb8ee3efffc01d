"""What each open file's user has lately changed, and may change next."""

import logging
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from contextlib import suppress
from pathlib import PurePath

from ...models.grammar.overlap import common_prefix, common_suffix
from ..file_text import FileText
from ..project.reading.syntax import Stopwatch, TooLong
from ..workspace.language import language_of
from .model import NextEditModel
from .proposal import Proposal, Refused
from .proposals import next_edit
from .recent_edits import Hunk, RecentEdits
from .source import MOST_CHARACTERS, Source

logger = logging.getLogger(__name__)


class Proposer:
    """Owns the recent edits of all files."""

    def __init__(self) -> None:
        self._recent: dict[Hashable, RecentEdits] = {}

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

    def next_edit(
        self,
        file: Hashable,
        language: str,
        path: str,
        text: FileText,
        offset: int,
        refused: Collection[Refused],
        pause: Callable[[], None],
        model: NextEditModel | None = None,
    ) -> Proposal | None:
        """What its user may want to change next, the nearest to the cursor at `offset`, in the
        characters of the editor's text. The language is the one that the editor says, or else what
        the path ends with. `pause` is called between small steps, and may raise. The `model` is
        asked where no rule finds anything."""
        recent = self._recent.get(file)
        if recent is None or len(text.text) > MOST_CHARACTERS:
            return None
        if not Source.can_read(language, text.text):
            language = language_of(path).id
        hunks, cursor = list(recent), text.offset(offset)
        found = _by_rules(language, text.text, hunks, cursor, refused, pause)
        if found is None and model is not None:
            proposed = model.proposals(PurePath(path).name, text.text, hunks, cursor, pause)
            found = first_good(proposed, language, text.text, refused, pause)
        if found is None:
            return None
        start, stop = text.raw_offset(found.start), text.raw_offset(found.stop)
        new = found.new.replace("\n", text.newline(start))
        return Proposal(start, stop, text.raw[start:stop], new, found.why)


def _by_rules(
    language: str,
    text: str,
    hunks: Sequence[Hunk],
    cursor: int,
    refused: Collection[Refused],
    pause: Callable[[], None],
) -> Proposal | None:
    """What follows from the language and from what was done twice."""
    if not Source.can_read(language, text):
        return None
    try:
        return next_edit(Source(language, text, Stopwatch(pause)), hunks, cursor, refused)
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
        if not Source.can_read(language, text):
            return each
        after = text[: each.start] + each.new + text[each.stop :]
        with suppress(TooLong):
            source = Source(language, text, Stopwatch(pause))
            if source.again(after).errors <= source.errors:
                return each
    return None
