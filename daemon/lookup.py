"""An engine without a model: what followed the same text before, here or in another open file.

Code repeats itself, and the longest earlier match of what stands before the cursor is often
followed by what comes next. It needs no weights, no download and no noticeable memory, which makes
it the choice for machines that have room for none (`model.name = "lookup"`).
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..lsp.backend import Completion, CompletionMeta, CompletionRequest
from .engine_thread import File
from .jobs import FileKey

NAME = "lookup"
SHORTEST = 4  # characters that must match before anything is suggested
LONGEST = 48
FILES_KEPT = 64


class LookupEngine:
    """Remembers the text of every file as it was at its last request."""

    name = NAME

    def __init__(self) -> None:
        self._texts: OrderedDict[FileKey, str] = OrderedDict()

    def complete(
        self,
        file: File,
        request: CompletionRequest,
        deadline: float,
        cancelled: Callable[[], bool],
    ) -> list[Completion]:
        started = time.monotonic()
        self._remember(file)
        text = self._continuation(file, request, lambda: cancelled() or time.monotonic() > deadline)
        if not text:
            return []
        took_ms = (time.monotonic() - started) * 1e3
        meta = CompletionMeta(NAME, stop="lines", total_ms=took_ms)
        return [Completion(text, request.offset, request.offset, meta)]

    def refresh(self, file: File, interrupted: Callable[[], bool]) -> None:
        self._remember(file)

    def forget(self, key: FileKey) -> None:
        self._texts.pop(key, None)

    def status(self) -> dict[str, Any]:
        return {"device": "none", "files": len(self._texts)}

    def close(self) -> None:
        self._texts.clear()

    def _remember(self, file: File) -> None:
        self._texts[file.key] = file.text
        self._texts.move_to_end(file.key)
        while len(self._texts) > FILES_KEPT:
            self._texts.popitem(last=False)

    def _continuation(
        self, file: File, request: CompletionRequest, interrupted: Callable[[], bool]
    ) -> str:
        before = file.text[: request.offset]
        for length in range(min(LONGEST, len(before)), SHORTEST - 1, -1):
            if interrupted():
                return ""
            wanted = before[-length:]
            if not wanted.strip():
                continue
            for text in (before[: len(before) - 1], *self._others(file.key)):
                at = text.rfind(wanted)
                if at >= 0 and (found := _line_after(text, at + length, file, request.offset)):
                    return found
        return ""

    def _others(self, key: FileKey) -> list[str]:
        return [text for other, text in reversed(self._texts.items()) if other != key]


def _line_after(text: str, at: int, file: File, offset: int) -> str:
    """The rest of the line at `at`, less what stands behind the cursor already."""
    stop = text.find("\n", at)
    found = text[at : len(text) if stop < 0 else stop].rstrip()
    behind = file.text[offset : offset + 200].partition("\n")[0].strip()
    repeated = 0
    while repeated < min(len(found), len(behind)) and found[-1 - repeated] == behind[-1 - repeated]:
        repeated += 1
    return found[: len(found) - repeated]
