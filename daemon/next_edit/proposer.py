"""What each open file's user has lately changed, and may change next."""

import logging
from collections.abc import Callable, Collection, Hashable

from ...models.grammar.overlap import common_prefix, common_suffix
from ..file_text import FileText
from ..project.reading.syntax import Stopwatch, TooLong
from ..workspace.language import language_of
from .proposal import Proposal, Refused
from .proposals import next_edit
from .recent_edits import RecentEdits
from .source import Source

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
    ) -> Proposal | None:
        """What its user may want to change next, the nearest to the cursor at `offset`, in the
        characters of the editor's text. The language is the one that the editor says, or else what
        the path ends with. `pause` is called between small steps, and may raise."""
        recent = self._recent.get(file)
        if not Source.can_read(language, text.text):
            language = language_of(path).id
        if recent is None or not Source.can_read(language, text.text):
            return None
        hunks = list(recent)
        try:
            source = Source(language, text.text, Stopwatch(pause))
            found = next_edit(source, hunks, text.offset(offset), refused)
        except TooLong:
            logger.info("a file takes too long to read for what may be changed next in it")
            return None
        if found is None:
            return None
        start, stop = text.raw_offset(found.start), text.raw_offset(found.stop)
        new = found.new.replace("\n", text.newline(start))
        return Proposal(start, stop, text.raw[start:stop], new, found.why)
