"""What is proposed in each document. Looked for a moment after the last key, dropped when its place
changes, or what it follows from, and never again once it was refused.
"""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..backend import BackendError, NextEditQuery, RefusedEdit, TextEdit
from ..documents import Document
from .proposed_edit import ProposedEdit, moved, word_around

PAUSE_SECONDS = 0.3  # after the last key
WORD_SECONDS = 1.0  # after it if a word is being written: it may not be all of it
MOST_TYPED = 2  # characters of an edit that is a key
MOST_REFUSED = 64  # of a document; the oldest may come again
IN_WORD = re.compile(r"\w\Z")

Ask = Callable[[NextEditQuery], Awaitable[dict[str, Any]]]
Find = Callable[[str], Document | None]
Found = tuple[Document, ProposedEdit]  # in which document
Show = Callable[[Document, Found | None], None]


@dataclass(frozen=True, slots=True)
class Led:
    """To the document at `uri`; from the change of these characters, with those beside them."""

    uri: str
    cause: tuple[int, int]

    def after(self, edit: TextEdit) -> "Led | None":
        cause = moved(*self.cause, edit)
        return cause and replace(self, cause=cause)


class NextEdits:
    """Owns what is proposed. On one event loop. `ask` may raise `BackendError`; `show` is told of
    each proposal that is for a document's user, in that or in another one, and that there is none
    any more. `find` knows the open documents."""

    def __init__(self, ask: Ask, find: Find, show: Show) -> None:
        self._ask = ask
        self._find = find
        self._show = show
        self._numbers = itertools.count(1)
        self._shown: dict[str, ProposedEdit] = {}
        self._led: dict[str, Led] = {}  # from a document to another one
        self._refused: dict[str, dict[RefusedEdit, None]] = {}
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._lives = Counter[str]()  # of each URI: what was asked in an earlier one is over

    def changed(self, document: Document, edits: Sequence[TextEdit], is_wanted: bool) -> None:
        """The user has edited a document; `is_wanted`: to be looked at when they pause."""
        shown = before = self._shown.get(document.uri)
        for edit in edits:
            shown = shown and shown.after(edit)
        is_taken = before is not None and before.edit in edits
        self._put(document, shown)
        self._keep_leading(document, edits)
        self._stop(document.uri)
        if is_wanted and edits:
            offset = edits[-1].start + len(edits[-1].text)
            seconds = WORD_SECONDS if _is_in_word(document.text, edits[-1]) else PAUSE_SECONDS
            seconds = 0.0 if is_taken else seconds  # to be led on
            look = asyncio.get_running_loop().create_task(self._look(document, offset, seconds))
            self._looks[document.uri] = look

    async def at(self, document: Document, offset: int) -> Found | None:
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
        self._end(document.uri)
        self._put(document, None)

    def forget(self, uri: str) -> None:
        """It was closed, or is another text."""
        self._end(uri)
        self._shown.pop(uri, None)
        self._lead_nobody_to(uri)
        self._refused.pop(uri, None)

    def _keep_leading(self, document: Document, edits: Sequence[TextEdit]) -> None:
        """To another document, unless what that follows from was changed."""
        led: Led | None = self._led.get(document.uri)
        for edit in edits:
            led = led and led.after(edit)
        found = None if led is None else self._present_in(led.uri)
        if led is None or found is None:
            self._leave(document)
            return
        self._led[document.uri] = led
        self._show(document, found)

    def _leave(self, document: Document) -> None:
        """Nothing follows from it for another one any more."""
        led = self._led.pop(document.uri, None)
        if led is None:
            return
        found = self._present_in(led.uri)
        self._show(document, None)
        if found is not None and found[1].cause is None:
            self._put(found[0], None)

    def _present_in(self, uri: str) -> Found | None:
        """What is proposed in a document."""
        document, shown = self._find(uri), self._shown.get(uri)
        return None if document is None or shown is None else (document, shown)

    def _end(self, uri: str) -> None:
        """What is being looked for is not wanted any more."""
        self._lives[uri] += 1
        self._led.pop(uri, None)
        self._stop(uri)

    async def _look(self, document: Document, offset: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        try:
            await self._found(document, offset)
        except BackendError:
            return  # whoever asks for something is told why it is not there

    async def _found(self, document: Document, offset: int) -> Found | None:
        uri, version, text = document.uri, document.version, document.text
        life = self._lives[uri]
        refused = tuple(self._refused.get(uri, ()))
        data = await self._ask(NextEditQuery(uri, version, offset, refused))
        if document.text is not text or self._lives[uri] != life:
            return None
        if data.get("superseded"):
            return self._present(document)
        found = self._made(document, data.get("edit"), offset)
        if found is None:
            return self._led_on(document, data.get("elsewhere", ()), offset)
        shown = self._shown.get(uri)
        if shown is not None and found.is_like(shown):
            return document, shown
        self._leave(document)
        self._put(document, found)
        return document, found

    def _made(
        self, document: Document, data: dict[str, Any] | None, cause: int | None
    ) -> ProposedEdit | None:
        """What is said of a document's text, if it is that text, and was not refused meanwhile."""
        if data is None:
            return None
        found = ProposedEdit.of(next(self._numbers), data, document.text, cause)
        if found is None or found.refusal in self._refused.get(document.uri, ()):
            return None
        return found

    def _led_on(
        self, document: Document, others: Sequence[dict[str, Any]], cause: int
    ) -> Found | None:
        """To the first of other documents in which something is to be changed."""
        self._put(document, None)
        for each in others:
            other = self._find(each["uri"])
            found = None if other is None else self._made(other, each, None)
            if other is None or found is None:
                continue
            shown = self._shown.get(other.uri)
            if shown is not None and found.is_like(shown):
                found = shown
            else:
                self._put(other, found)
            self._led[document.uri] = Led(other.uri, word_around(document.text, cause))
            self._show(document, (other, found))
            return other, found
        self._leave(document)
        return None

    def _present(self, document: Document) -> Found | None:
        """What is proposed to a document's user as it is."""
        led = self._led.get(document.uri)
        return self._present_in(document.uri) or (led and self._present_in(led.uri))

    def _put(self, document: Document, proposed: ProposedEdit | None) -> None:
        before = self._shown.pop(document.uri, None)
        if proposed is not None:
            self._shown[document.uri] = proposed
        if proposed is not None or before is not None:  # also for another version
            self._show(document, None if proposed is None else (document, proposed))
        if proposed is None and before is not None:
            self._lead_nobody_to(document.uri)

    def _lead_nobody_to(self, uri: str) -> None:
        """There is nothing any more."""
        for here in [here for here, led in self._led.items() if led.uri == uri]:
            del self._led[here]
            if (document := self._find(here)) is not None:
                self._show(document, None)

    def _stop(self, uri: str) -> None:
        look = self._looks.pop(uri, None)
        if look is not None:
            look.cancel()


def _is_in_word(text: str, edit: TextEdit) -> bool:
    """Whether the edit is a key, and what stands before the cursor then is a word."""
    is_key = max(len(edit.text), edit.end - edit.start) <= MOST_TYPED
    at = edit.start + len(edit.text)
    return is_key and IN_WORD.search(text[max(0, at - 1) : at]) is not None
