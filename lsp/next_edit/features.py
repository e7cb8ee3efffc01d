"""The requests about next edits, ours and one that plug-ins for another server make, as
`docs/next_edit.md` describes them."""

import asyncio
from collections.abc import Callable
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from ..backend import BackendError, Phase, Superseded
from ..documents import Document
from ..position import Encoding
from ..session import Session
from ..translate import position_of, range_between
from .next_edits import Found

PATIENCE_SECONDS = 0.5  # of who has asked for a suggestion
ASKED = "keyturn/nextEdit"
CHANGED = "keyturn/nextEditChanged"  # a notification
TAKEN_COMMAND = "keyturn.nextEditTaken"
REFUSED_COMMAND = "keyturn.nextEditRefused"


def register(server: LanguageServer, session: Session, problem: Callable[[str], None]) -> None:
    """Say that these requests are understood. `problem` is told why one could not be answered."""

    async def proposed(place: types.TextDocumentPositionParams) -> Found | None:
        try:
            return await session.next_edit(place.text_document.uri, position_of(place.position))
        except Superseded:
            return None
        except BackendError as error:
            problem(str(error))
            return None

    @server.feature(ASKED)
    async def next_edit(params: types.TextDocumentPositionParams) -> dict[str, Any]:
        found = await proposed(params)
        document = session.documents.get(params.text_document.uri)
        if found is None or document is None:
            return {"edit": None}
        return shown(document, found, session.documents.encoding)

    @server.feature("textDocument/copilotInlineEdit")
    async def inline_edit(params: types.TextDocumentPositionParams) -> dict[str, Any]:
        found = await proposed(params)
        if found is None or found[0].uri != params.text_document.uri:
            return {"edits": []}
        document, edit = found
        command = types.Command("Taken", TAKEN_COMMAND, arguments=[document.uri, edit.number])
        return {
            "edits": [
                {
                    "command": command,
                    "range": range_between(
                        document, edit.start, edit.stop, session.documents.encoding
                    ),
                    "textDocument": {"uri": document.uri, "version": document.version},
                    "text": edit.new,
                }
            ]
        }

    @server.command(TAKEN_COMMAND)
    async def taken(uri: str, number: int) -> None:
        """The document says it all: it is edited."""

    @server.command(REFUSED_COMMAND)
    async def refused(uri: str, number: int) -> None:
        session.refuse_next_edit(uri, number)


async def item_at(
    session: Session, uri: str, position: types.Position
) -> types.InlineCompletionItem | None:
    """What may be changed where the cursor is, for a client that shows nothing elsewhere. None
    also where it could not be asked, or not in time: somebody waits for a suggestion."""
    document = session.documents.get(uri)
    if session.phase is not Phase.READY:
        return None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await session.next_edit(uri, position_of(position))
    except (BackendError, TimeoutError):  # of which the suggestions have spoken already
        return None
    if document is None or found is None or found[0] is not document:
        return None
    edit, encoding = found[1], session.documents.encoding
    cursor = document.offset(position_of(position), encoding)
    if not edit.start <= cursor <= edit.stop or "\n" in edit.old:
        return None
    place = range_between(document, edit.start, edit.stop, encoding)
    return types.InlineCompletionItem(edit.new, filter_text=edit.old, range=place)


def are_shown(experimental: Any) -> bool:
    """Whether a client says that it shows what is notified."""
    ours = experimental.get("keyturn") if isinstance(experimental, dict) else None
    return isinstance(ours, dict) and ours.get("nextEdit") is True


def shown(document: Document, found: Found | None, encoding: Encoding) -> dict[str, Any]:
    """The answer to `keyturn/nextEdit`, and the parameters of the notification."""
    told: dict[str, Any] = {"textDocument": _identifier(document), "edit": None}
    if found is None:
        return told
    other, edit = found
    place = range_between(other, edit.start, edit.stop, encoding)
    if other is not document:
        elsewhere = {"textDocument": _identifier(other), "range": place, "why": edit.why}
        return {**told, "elsewhere": elsewhere}
    shown = {
        "number": edit.number,
        "range": place,
        "text": edit.new,
        "why": edit.why,
        "confidence": edit.confidence,
    }
    return {**told, "edit": shown}


def _identifier(document: Document) -> dict[str, Any]:
    return {"uri": document.uri, "version": document.version}
