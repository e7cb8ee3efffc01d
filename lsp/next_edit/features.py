"""The requests about next edits, ours and one that plug-ins for another server make, as
`docs/next_edit.md` describes them."""

from collections.abc import Callable
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from ..backend import BackendError, Superseded
from ..documents import Document
from ..position import Encoding
from ..session import Session
from ..translate import position_of, range_between
from .proposed_edit import ProposedEdit

ASKED = "keyturn/nextEdit"
CHANGED = "keyturn/nextEditChanged"  # a notification
TAKEN_COMMAND = "keyturn.nextEditTaken"
REFUSED_COMMAND = "keyturn.nextEditRefused"

Found = tuple[Document, ProposedEdit]


def register(server: LanguageServer, session: Session, problem: Callable[[str], None]) -> None:
    """Say that these requests are understood. `problem` is told why one could not be answered."""

    async def proposed(place: types.TextDocumentPositionParams) -> Found | None:
        uri = place.text_document.uri
        try:
            found = await session.next_edit(uri, position_of(place.position))
        except Superseded:
            return None
        except BackendError as error:
            problem(str(error))
            return None
        document = session.documents.get(uri)
        return None if found is None or document is None else (document, found)

    @server.feature(ASKED)
    async def next_edit(params: types.TextDocumentPositionParams) -> dict[str, Any]:
        found = await proposed(params)
        if found is None:
            return {"edit": None}
        return shown(*found, session.documents.encoding)

    @server.feature("textDocument/copilotInlineEdit")
    async def inline_edit(params: types.TextDocumentPositionParams) -> dict[str, Any]:
        found = await proposed(params)
        if found is None:
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


def are_shown(experimental: Any) -> bool:
    """Whether a client says that it shows what is notified."""
    ours = experimental.get("keyturn") if isinstance(experimental, dict) else None
    return isinstance(ours, dict) and ours.get("nextEdit") is True


def shown(document: Document, edit: ProposedEdit | None, encoding: Encoding) -> dict[str, Any]:
    """The answer to `keyturn/nextEdit`, and the parameters of the notification."""
    place = {"uri": document.uri, "version": document.version}
    if edit is None:
        return {"textDocument": place, "edit": None}
    return {
        "textDocument": place,
        "edit": {
            "number": edit.number,
            "range": range_between(document, edit.start, edit.stop, encoding),
            "text": edit.new,
            "why": edit.why,
        },
    }
