"""One editor's session: keeps the backend in step with its documents and decides what to ask.

Owns the documents, the suggestions already known and the requests under way. Knows nothing of
JSON-RPC: `server.py` translates. Everything here runs on one event loop.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..api.report import Completion
from ..api.request import CompletionRequest, Trigger
from .backend import (
    Backend,
    BackendError,
    Control,
    Feedback,
    OpenDocument,
    Outcome,
    Phase,
    Superseded,
)
from .debounce import Debounce
from .documents import Change, Document, Documents, Position
from .extent import wants_block
from .next_edit.next_edits import Found, NextEdits, Show
from .options import Options
from .outcome import Account, Outcomes
from .suggestions import Suggestions
from .worth import worth_showing

LOADING_MS = 10_000  # for a request that the user made while the model is not there yet
NOT_THERE_YET = (Phase.STARTING, Phase.LOADING, Phase.DOWNLOADING, Phase.ASLEEP)


@dataclass(frozen=True, slots=True)
class Asking:
    """A request under way."""

    version: int
    offset: int
    trigger: Trigger
    task: "asyncio.Task[Any]"


@dataclass(frozen=True, slots=True)
class Ahead:
    """A completion being computed before it is asked for."""

    version: int
    offset: int
    task: "asyncio.Task[list[Completion]]"


class Session:
    """What one editor window has open, and its conversation with the backend."""

    def __init__(
        self,
        backend: Backend,
        documents: Documents,
        options: Options,
        on_problem: Callable[[str], None],
        show_next_edit: Show = lambda document, edit: None,
    ) -> None:
        self.documents = documents
        self.options = options
        self.leads = False  # looks for next edits before it is asked: somebody shows them
        self.phase = Phase.STARTING  # the backend's, kept up by whoever hears of it
        self._backend = backend
        self._on_problem = on_problem
        self._suggestions = Suggestions()
        self._outcomes = Outcomes()
        self._debounce = Debounce()
        self._asking: dict[str, Asking] = {}  # newest request per document
        self._numbers = itertools.count()  # of calls of `complete`
        self._newest: dict[str, int] = {}  # the last call per document
        self._ahead: dict[str, Ahead] = {}
        self._next_edits = NextEdits(backend.control, documents.get, show_next_edit)
        self._background: set[asyncio.Task[Any]] = set()

    # region Documents
    def open(self, uri: str, language: str, version: int, text: str) -> None:
        if (former := self.documents.get(uri)) is not None:
            self._next_edits.drop(former)
        self._next_edits.forget(uri)
        document = self.documents.open(uri, language, version, text)
        self._suggestions.forget(uri)
        if self._allowed(document):
            self._backend.open(document.whole(self.options.project_rules))

    def change(self, uri: str, version: int, changes: Sequence[Change]) -> None:
        document = self.documents.get(uri)
        if document is None:
            return
        self._debounce.key(_now_ms())
        allowed = self._allowed(document)
        edits = document.apply(version, changes, self.documents.encoding)
        if self._allowed(document) != allowed:  # it grew past the limit, or shrank below it
            self._next_edits.drop(document)
            self._follow(document, opened=not allowed)
            return
        if not allowed:
            return
        self._backend.edit(uri, version, edits)
        leads = self.leads and self.options.next_edits
        wanted = leads and not self.options.waits_to_be_asked(uri)
        self._next_edits.changed(document, edits, wanted)
        self._suggestions.forget_what_saw(uri)
        accepted_to: int | None = None
        for edit in edits:
            feedback = self._outcomes.edit(uri, edit)
            if feedback is not None:
                self._tell(feedback)
                if feedback.shown and feedback.outcome is not Outcome.REJECTED:
                    accepted_to = edit.start + len(edit.text)
        if accepted_to is not None:
            self._compute_ahead(document, accepted_to)

    def close(self, uri: str) -> None:
        document = self.documents.close(uri)
        self._suggestions.forget(uri)
        self._outcomes.forget(uri)
        self._next_edits.forget(uri)
        self._newest.pop(uri, None)
        self._stop_asking(uri)
        if document is not None and self._allowed(document):
            self._backend.close(uri)

    def shared(self) -> list[OpenDocument]:
        """What the backend should have open; a daemon that has just started is told this."""
        return [
            document.whole(self.options.project_rules)
            for document in self.documents
            if self._allowed(document)
        ]

    def refusal(self, uri: str) -> str | None:
        """Why nothing is suggested in a document; None if something may be."""
        document = self.documents.get(uri)
        if document is None:
            return "this document is not followed"
        return self.options.refusal(uri, document.language, len(document.text))

    def set_options(self, options: Options) -> None:
        """Change the settings; documents that they allow or forbid now are opened or closed, and
        the others told again if something else is allowed of their projects."""
        if options != self.options:
            self.forget_suggestions()  # what is known was asked for in another way
        before = [document for document in self.documents if self._allowed(document)]
        is_told = options.project_rules == self.options.project_rules
        self.options = options
        for document in self.documents:
            allowed = self._allowed(document)
            if not (allowed and options.next_edits):
                self._next_edits.drop(document)
            if (document in before) != allowed or (allowed and not is_told):
                self._follow(document, opened=allowed)

    # endregion
    # region Completions
    async def complete(
        self, uri: str, place: Position, trigger: Trigger, everything: bool = False
    ) -> list[Completion]:
        """Suggestions for `place`, best first, all of them insertions at it; where nobody has asked
        for them, and it need not be `everything`, only what is likely to be right.

        A newer call for the same document cancels this one, unless the user asked for this one and
        it comes by itself, at the same place: then both have the same answer. Raises `Superseded`
        if the document has moved on, `asyncio.CancelledError` if the request was cancelled.
        """
        document = self.documents.get(uri)
        if document is None or not self._allowed(document):
            self._stop_asking(uri)
            return []
        number = self._newest[uri] = next(self._numbers)
        offset = document.offset(place, self.documents.encoding)
        if trigger is not Trigger.INVOKED:
            asked = await self._asked_by_hand(document, offset, number)
            known = self._suggestions.fitting(uri, document.text, offset)
            if known or asked or self.options.waits_to_be_asked(uri):
                self._stop_asking(uri)
                return self._show(uri, known, asked or everything, known=True)
        self._stop_asking(uri)
        task = asyncio.current_task()
        assert task is not None, "complete() runs in a task of its own"
        asking = Asking(document.version, offset, trigger, task)
        self._asking[uri] = asking
        try:
            found = await self._ask(document, offset, trigger)
            return self._show(uri, found, everything or trigger is Trigger.INVOKED)
        except Superseded:
            raise
        except BackendError as error:
            self._on_problem(str(error))
            return []
        finally:
            if self._asking.get(uri) is asking:
                del self._asking[uri]

    async def next_edit(self, uri: str, place: Position) -> Found | None:
        """What the user may want to change next. Raises `BackendError`."""
        document = self.documents.get(uri)
        if document is None or not self._allowed(document) or not self.options.next_edits:
            return None
        return await self._next_edits.at(document, document.offset(place, self.documents.encoding))

    def refuse_next_edit(self, uri: str, number: int) -> None:
        """The user does not want it: it does not come back."""
        document = self.documents.get(uri)
        if document is not None:
            self._next_edits.refused(document, number)

    async def _asked_by_hand(self, document: Document, offset: int, number: int) -> bool:
        """Wait for what the user asked for at this place, if that is under way; whether it was
        answered, and not cancelled. Raises `Superseded` if the document has changed meanwhile, or
        it was cancelled for what was asked after this, which is call `number`."""
        place = document.version, offset
        while (asking := self._asking.get(document.uri)) is not None:
            if asking.trigger is not Trigger.INVOKED or (asking.version, asking.offset) != place:
                return False
            await asyncio.wait({asking.task})
            if document.version != place[0] or self.documents.get(document.uri) is not document:
                raise Superseded("the document has changed since")
            if not asking.task.cancelled():
                return True
            if self._newest.get(document.uri) != number:
                raise Superseded("something newer was asked")
        return False

    async def _ask(self, document: Document, offset: int, trigger: Trigger) -> list[Completion]:
        ahead = self._ahead.get(document.uri)
        if trigger is Trigger.TYPING:
            if ahead is not None and (ahead.version, ahead.offset) == (document.version, offset):
                return await asyncio.shield(ahead.task)
            delay_ms = self._debounce.delay_ms(_now_ms(), self.options.debounce_max_ms)
            if delay_ms > 0:
                await asyncio.sleep(delay_ms / 1e3)
        return await self._fetch(document, offset, trigger)

    async def _fetch(self, document: Document, offset: int, trigger: Trigger) -> list[Completion]:
        version, text = document.version, document.text
        started_ms = _now_ms()
        completions = await self._backend.complete(self._request(document, offset, trigger))
        self._debounce.answered(_now_ms() - started_ms)
        placed = self._suggestions.remember(document.uri, text, offset, completions)
        if document.version != version or self.documents.get(document.uri) is not document:
            raise Superseded("the document has changed since")
        return placed

    def accepted(self, uri: str, number: int = 0) -> None:
        """The editor ran the command that comes with the `number`-th suggestion."""
        feedback = self._outcomes.accepted(uri, number)
        if feedback is not None:
            self._tell(feedback)

    def why(self, uri: str) -> Account | None:
        """How the last suggestion in a document came to be; None if there was none yet."""
        return self._outcomes.account(uri)

    async def control(self, command: Control) -> dict[str, Any]:
        """Pass a command on. Raises `BackendError`."""
        return await self._backend.control(command)

    def forget_suggestions(self) -> None:
        """Start afresh: another model, or the user asked for it."""
        for document in self.documents:
            self._suggestions.forget(document.uri)

    # endregion
    # region Details
    def _allowed(self, document: Document) -> bool:
        return self.options.allows(document.uri, document.language, len(document.text))

    def _follow(self, document: Document, opened: bool) -> None:
        if opened:
            self._backend.open(document.whole(self.options.project_rules))
        else:
            self._stop_asking(document.uri)
            self._backend.close(document.uri)

    def _request(self, document: Document, offset: int, trigger: Trigger) -> CompletionRequest:
        block = wants_block(document.text, offset, self.options.multiline)
        invoked = trigger is Trigger.INVOKED
        options = self.options.completion(block, invoked)
        if invoked and self.phase in NOT_THERE_YET:
            options = replace(options, deadline_ms=max(options.deadline_ms, LOADING_MS))
        return CompletionRequest(document.uri, document.version, offset, trigger, options)

    def _show(
        self, uri: str, found: list[Completion], everything: bool, known: bool = False
    ) -> list[Completion]:
        chosen = found
        if not everything:
            standing = partial(self._outcomes.standing, uri)
            chosen = worth_showing(found, self.options.eagerness, standing)
        if found:
            first, *others = chosen or found[:1]
            self._outcomes.show(uri, first, known, visible=bool(chosen), others=others)
        return chosen

    def _stop_asking(self, uri: str) -> None:
        previous = self._asking.pop(uri, None)
        if previous is not None and previous.task is not asyncio.current_task():
            previous.task.cancel()

    def _compute_ahead(self, document: Document, offset: int) -> None:
        """Start on what comes after an accepted suggestion before the editor asks for it."""
        if self._suggestions.fitting(document.uri, document.text, offset):
            return
        if self.options.waits_to_be_asked(document.uri):
            return

        async def compute() -> list[Completion]:
            try:
                return await self._fetch(document, offset, Trigger.PREFETCH)
            except BackendError:
                return []

        task = self._keep(compute())
        ahead = Ahead(document.version, offset, task)
        self._ahead[document.uri] = ahead

        def done(_: object) -> None:
            if self._ahead.get(document.uri) is ahead:
                del self._ahead[document.uri]

        task.add_done_callback(done)

    def _tell(self, feedback: Feedback) -> None:
        async def tell() -> None:
            try:
                await self._backend.control(feedback)
            except BackendError:
                return  # only a count is lost

        self._keep(tell())

    def _keep(self, coroutine: Any) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    # endregion


def _now_ms() -> float:
    return time.monotonic() * 1e3
