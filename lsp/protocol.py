"""JSON-RPC as pygls speaks it, made stricter: every request is answered exactly once.

pygls leaves a request that it cannot parse without an answer and shows the user a pop-up, drops
requests after `shutdown`, keeps its own copy of every document, and ends the process on `exit`.
Here each of these gets the answer that the specification has for it, documents belong to the
session, and `exit` only says that the reading loop should end.
"""

import json
import logging
import typing
from typing import Any

from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from .session import Session
from .translate import changes_of

logger = logging.getLogger(__name__)


class Owner(typing.Protocol):
    """The server that the protocol belongs to."""

    session: Session


class Protocol(LanguageServerProtocol):
    """One editor's end of the conversation."""

    _server: Owner  # pyright: ignore[reportIncompatibleVariableOverride]
    initialized = False
    exit_code: int | None = None  # set by `exit`: 0 after `shutdown`, 1 without

    def receive(self, body: bytes) -> None:
        """Handle one message. Never raises: what can't be handled is answered or logged."""
        request_id: int | str | None = None
        try:
            data = _parse(body)
            request_id = _request_id(data)
            self._check_order(data, request_id)
            message: Any = self.structure_message(data)
            self.handle_message(message)
        except JsonRpcException as error:
            if request_id is not None or isinstance(error, JsonRpcParseError):
                self._send_response(request_id, error=error.to_response_error())  # type: ignore[arg-type]
            else:
                logger.info("ignored a message: %s", error)
        except Exception:  # the request boundary: a bad message never ends the session
            logger.exception("a message could not be handled")
            if request_id is not None:
                error = JsonRpcInvalidParams("the message could not be handled")
                self._send_response(request_id, error=error.to_response_error())

    def _check_order(self, data: dict[str, Any], request_id: int | str | None) -> None:
        method = data.get("method")
        if method is None or method == types.EXIT:
            return
        if request_id is not None and _is_notification(method):
            raise JsonRpcInvalidRequest(f"{method} is a notification: it has no id")
        if self._shutdown:
            raise JsonRpcInvalidRequest("the server is shutting down")
        if method == types.INITIALIZE and self.initialized:
            raise JsonRpcInvalidRequest("the server is initialized already")
        if method != types.INITIALIZE and not self.initialized:
            raise JsonRpcServerNotInitialized("the first request must be initialize")
        if method == types.INITIALIZE and request_id is not None:
            # Set before the handler runs; a failed one is answered and may not be repeated.
            self.initialized = True

    @lsp_method(types.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]
        """Let the reading loop end; the process ends when everything is put away."""
        self.exit_code = 0 if self._shutdown else 1

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(  # type: ignore[override]
        self, params: types.DidOpenTextDocumentParams
    ) -> None:
        item = params.text_document
        self._server.session.open(item.uri, item.language_id, item.version, item.text)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(  # type: ignore[override]
        self, params: types.DidChangeTextDocumentParams
    ) -> None:
        document = params.text_document
        self._server.session.change(document.uri, document.version, changes_of(params))

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(  # type: ignore[override]
        self, params: types.DidCloseTextDocumentParams
    ) -> None:
        self._server.session.close(params.text_document.uri)


def _is_notification(method: Any) -> bool:
    """Whether the protocol knows `method` as one that is never answered. pygls would take it for
    one whatever comes with it, and an id would be waited for."""
    known = types.METHOD_TO_TYPES.get(method) if isinstance(method, str) else None
    return known is not None and known[1] is None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise JsonRpcParseError("the message is not JSON") from error
    if not isinstance(data, dict):
        raise JsonRpcParseError("the message is not a JSON object")
    return data


def _request_id(data: dict[str, Any]) -> int | str | None:
    """The id to answer to; None for notifications and for the client's own answers."""
    if "method" not in data or "id" not in data:
        if "result" in data or "error" in data or "method" in data:
            return None
        raise JsonRpcParseError("the message is neither a request nor a notification")
    request_id = data["id"]
    if not isinstance(request_id, int | str) or isinstance(request_id, bool):
        raise JsonRpcParseError("the id must be an integer or a string")
    if data.get("jsonrpc") != "2.0" or not isinstance(data["method"], str):
        data["jsonrpc"], data["method"] = "2.0", str(data["method"])
    return request_id
