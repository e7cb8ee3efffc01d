"""An engine without a model: what followed the same text before, here, in another open file, or in
a file of the same project.

Code repeats itself, and the longest earlier match of what stands before the cursor is often
followed by what comes next. It needs no weights, no download and little memory, which makes it the
choice for machines that have room for no model (`model.name = "lookup"`).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ...api.report import Completion, CompletionMeta, Finish
from ..config import LOOKUP
from ..file_text import Edited
from ..next_edit.model import NextEditModel
from ..server.engine import File, OpenFiles
from ..server.jobs import Complete, FileKey
from ..workspace.project_files import Library

SHORTEST = 4  # characters that must match before anything is suggested
LONGEST = 48
MOST_PLACES = 200  # looked at for one request


class LookupEngine:
    """Looks at a window's open files as they are now, and at others as they are on disk."""

    name = LOOKUP
    next_edit_model: NextEditModel | None = None

    def __init__(
        self, open_files: OpenFiles, path_of: Callable[[str], str], library: Library
    ) -> None:
        self._open_files = open_files
        self._path_of = path_of
        self._library = library
        library.start()

    def complete(self, file: File, job: Complete) -> list[Completion]:
        started = time.monotonic()
        offset, wanted = job.request.offset, job.request.options.candidates
        raw = file.text.raw
        before = raw[max(0, offset - LONGEST) : offset]
        texts = [raw[: max(0, offset - 1)], *self._others(file)]
        found: dict[str, None] = {}  # in order, each once
        for text, at in _places(texts, before):
            if job.cancelled.is_set() or time.monotonic() > job.deadline:
                break
            if line := _line_after(text, at, raw, offset):
                found[line] = None
            if len(found) == wanted:
                break
        took_ms = (time.monotonic() - started) * 1e3
        meta = CompletionMeta(LOOKUP, finish=Finish.LINES, total_ms=took_ms)
        return [Completion(text, offset, offset, meta) for text in found or ("",)]

    def edit(self, before: File, edits: Sequence[Edited]) -> None:
        """Every request looks at the texts themselves."""

    def refresh(self, key: FileKey | None, interrupted: Callable[[], bool]) -> None:
        """There is nothing to bring up to date: every request looks at the texts themselves."""

    def prepare(self, key: FileKey, interrupted: Callable[[], bool]) -> bool:
        """Nor anything to prepare."""
        return False

    def forget(self, key: FileKey) -> None:
        """Nothing is kept of a file."""

    def status(self) -> dict[str, Any]:
        found = {"device": "none", "workspace": self._library.status()}
        problems = self._library.problems()
        return {**found, "problems": problems} if problems else found

    def close(self) -> None:
        self._library.close()

    def _others(self, file: File) -> Iterator[str]:
        """Of the same window, newest opened first; what is open there is not looked at on disk. Of
        the project what the file was given, where that is on another machine."""
        ours = [each for each in self._open_files() if each.key.client == file.key.client]
        opened = [each for each in ours if each.key != file.key]
        yield from (each.text.raw for each in reversed(opened))
        yield from (chunk.text for chunk in file.chunks)
        if not file.project.is_read:
            return
        paths = {self._path_of(each.key.uri) for each in opened}
        for volume in self._library.around(Path(self._path_of(file.key.uri))):
            if str(volume.path) not in paths:
                yield volume.text


def _places(texts: list[str], before: str) -> Iterator[tuple[str, int]]:
    """Where `before`, or as much of its end as there is, ends in a text: longer matches first, then
    earlier texts, then later places."""
    reaching = [(reach, text) for text in texts if (reach := _reach(text, before))]
    left = MOST_PLACES
    for length in range(max((reach for reach, _ in reaching), default=0), SHORTEST - 1, -1):
        wanted = before[-length:]
        if not wanted.strip():
            continue
        for text in (text for reach, text in reaching if reach >= length):
            end = len(text)
            while left and (at := text.rfind(wanted, 0, end)) >= 0:
                yield text, at + length
                left, end = left - 1, at + length - 1


def _reach(text: str, before: str) -> int:
    """How many characters of the end of `before` occur in `text` together; 0 if too few."""
    low, high = SHORTEST - 1, len(before)
    while low < high:
        middle = (low + high + 1) // 2
        if before[-middle:] in text:
            low = middle
        else:
            high = middle - 1
    return low if low >= SHORTEST else 0


def _line_after(text: str, at: int, raw: str, offset: int) -> str:
    """The rest of the line at `at`, less what stands behind the cursor already."""
    stop = text.find("\n", at)
    found = text[at : len(text) if stop < 0 else stop].rstrip()
    behind = raw[offset : offset + 200].partition("\n")[0].strip()
    repeated = 0
    while repeated < min(len(found), len(behind)) and found[-1 - repeated] == behind[-1 - repeated]:
        repeated += 1
    return found[: len(found) - repeated]
