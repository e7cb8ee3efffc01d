"""What is proposed in each document. Looked for a moment after the last key, dropped when its place
changes, never again once it was refused.
"""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..backend import BackendError, NextEditQuery, RefusedEdit, TextEdit
from ..documents import Document
from .proposed_edit import ProposedEdit

PAUSE_SECONDS = 0.3  # after the last key
WORD_SECONDS = 1.0  # after it if a word is being written: it may not be all of it
MOST_TYPED = 2  # characters of an edit that is a key
MOST_REFUSED = 64  # of a document; the oldest may come again
IN_WORD = re.compile(r"\w\Z")

Ask = Callable[[NextEditQuery], Awaitable[dict[str, Any]]]
Show = Callable[[Document, ProposedEdit | None], None]


class NextEdits:
    """Owns what is proposed. On one event loop. `ask` may raise `BackendError`; `show` is told of
    each proposal, and that there is none any more."""

    def __init__(self, ask: Ask, show: Show) -> None:
        self._ask = ask
        self._show = show
        self._numbers = itertools.count(1)
        self._shown: dict[str, ProposedEdit] = {}
        self._refused: dict[str, dict[RefusedEdit, None]] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}

    def changed(self, document: Document, edits: Sequence[TextEdit], is_wanted: bool) -> None:
        """The user has edited a document; `is_wanted`: to be looked at when they pause."""
        shown = before = self._shown.get(document.uri)
        for edit in edits:
            shown = shown and shown.after(edit)
        is_taken = before is not None and before.edit in edits
        self._put(document, shown)
        self._stop(document.uri)
        if is_wanted and edits:
            offset = edits[-1].start + len(edits[-1].text)
            seconds = WORD_SECONDS if _is_in_word(document.text, edits[-1]) else PAUSE_SECONDS
            seconds = 0.0 if is_taken else seconds  # to be led on
            look = asyncio.get_running_loop().create_task(self._look(document, offset, seconds))
            self._looks[document.uri] = look

    async def at(self, document: Document, offset: int) -> ProposedEdit | None:
        """What is found for the cursor at `offset`, which is what is proposed from now on. Raises
        `BackendError`."""
        self._stop(document.uri)  # it would be asked in this one's place
        return await self._found(document, offset)

    def refused(self, document: Document, number: int) -> None:
        """The user does not want the proposal of this number, if it is still there."""
        shown = self._shown.get(document.uri)
        if shown is None or shown.number != number:
            return
        refused = self._refused.setdefault(document.uri, {})
        refused[shown.refusal] = None
        if len(refused) > MOST_REFUSED:
            del refused[next(iter(refused))]
        self._put(document, None)

    def drop(self, document: Document) -> None:
        """Nothing is proposed in it, for now."""
        self._stop(document.uri)
        self._put(document, None)

    def forget(self, uri: str) -> None:
        """It was closed."""
        self._stop(uri)
        self._shown.pop(uri, None)
        self._refused.pop(uri, None)

    async def _look(self, document: Document, offset: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self._found(document, offset)
        except BackendError:
            return  # whoever asks for something is told why it is not there

    async def _found(self, document: Document, offset: int) -> ProposedEdit | None:
        version, text = document.version, document.text
        refused = tuple(self._refused.get(document.uri, ()))
        data = await self._ask(NextEditQuery(document.uri, version, offset, refused))
        if document.text is not text:
            return None
        found = ProposedEdit.of(next(self._numbers), data, text)
        shown = self._shown.get(document.uri)
        if found is not None and shown is not None and found.is_like(shown):
            return shown
        self._put(document, found)
        return found

    def _put(self, document: Document, proposed: ProposedEdit | None) -> None:
        before = self._shown.pop(document.uri, None)
        if proposed is not None:
            self._shown[document.uri] = proposed
        if proposed is not None or before is not None:  # also for another version
            self._show(document, proposed)

    def _stop(self, uri: str) -> None:
        look = self._looks.pop(uri, None)
        if look is not None:
            look.cancel()


def _is_in_word(text: str, edit: TextEdit) -> bool:
    """Whether the edit is a key, and what stands before the cursor then is a word."""
    is_key = max(len(edit.text), edit.end - edit.start) <= MOST_TYPED
    at = edit.start + len(edit.text)
    return is_key and IN_WORD.search(text[max(0, at - 1) : at]) is not None
