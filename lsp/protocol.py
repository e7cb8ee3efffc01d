"""JSON-RPC as pygls speaks it, made stricter: every request is answered exactly once.

pygls leaves a request that it cannot parse without an answer and shows the user a pop-up, makes
text and numbers of whatever stands in their place, drops requests after `shutdown`, keeps its own
copy of every document, and ends the process on `exit`. Here each of these gets the answer that the
specification has for it, documents belong to the session, and `exit` only says that the reading
loop should end.
"""

import asyncio
import json
import logging
import typing
from collections.abc import Callable, Generator
from typing import Any

import attrs
from cattrs import Converter, transform_error
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol, default_converter
from pygls.protocol.language_server import lsp_method

from .session import Session
from .translate import changes_of

logger = logging.getLogger(__name__)


class Owner(typing.Protocol):
    """The server that the protocol belongs to."""

    session: Session
    leaving: asyncio.Event


@attrs.define
class PlaceRequest:
    """One of our own, about a place in a document, as `lsprotocol` has the others."""

    id: int | str
    params: types.TextDocumentPositionParams
    method: str
    jsonrpc: str = "2.0"


class WrongType(ValueError):
    """A value where the protocol has another kind of one."""


def strict_converter() -> Converter:
    """pygls' converter, which refuses what is no text or no whole number where one belongs: it
    would take `{}` for the name of a model, and `[1]` for a request."""
    converter = default_converter()
    text, number, either = _only(str), _only(int), _only(int, str)
    converter.register_structure_hook(str, text)
    converter.register_structure_hook(int, number)
    for kind, check in (
        (typing.Union[types.LanguageKind, str], text),  # noqa: UP007 - as it is registered there
        (typing.Union[int, str], either),  # noqa: UP007
        (typing.Optional[typing.Union[int, str]], _only(int, str, type(None))),  # noqa: UP007, UP045
        (_ARGUMENTS, _only(list, type(None))),
    ):
        converter.register_structure_hook(kind, check)
    return converter


def _only(*kinds: type) -> Callable[[Any, Any], Any]:
    names = " or ".join(NAMES[kind] for kind in kinds)

    def check(value: Any, wanted: Any) -> Any:
        if isinstance(wanted, type) and wanted not in kinds:  # booleans and enumerations among them
            return wanted(value)
        if type(value) in kinds:  # exactly: true is no number
            return value
        if type(value) is float and value.is_integer() and int in kinds:  # JSON has but one kind
            return int(value)
        raise WrongType(f"must be {names}")

    return check


_ARGUMENTS = typing.get_type_hints(types.ExecuteCommandParams)["arguments"]
NAMES = {str: "a string", int: "a whole number", list: "a list", type(None): "null"}
MOST_NAMED = 3  # faults of one message
ANSWER_TURNS = 100  # of 5 ms
PLACES = frozenset(("keyturn/nextEdit", "textDocument/copilotInlineEdit"))


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

    def get_message_type(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, method: str
    ) -> type[Any] | None:
        return PlaceRequest if method in PLACES else super().get_message_type(method)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """The message in the protocol's type for it. Raises `JsonRpcInvalidParams`, which says what
        is wrong with which field."""
        if "method" in data and data["method"] not in types.METHOD_TO_TYPES:
            data.setdefault("params", None)  # what nobody knows may have none
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            faults = transform_error(error.__cause__ or error, "message", _fault)[:MOST_NAMED]
            sentences = (" ".join(reversed(fault.split(" @ "))) for fault in faults)
            raise JsonRpcInvalidParams("; ".join(sentences)) from None

    def _check_order(self, data: dict[str, Any], request_id: int | str | None) -> None:
        if "method" not in data:
            return
        method = data["method"]
        if not isinstance(method, str):
            raise JsonRpcInvalidRequest("the method must be a string")
        if request_id is not None and _is_notification(method):
            if method == types.EXIT:  # also from who waits for an answer
                self.lsp_exit()
            raise JsonRpcInvalidRequest(f"{method} is a notification: it has no id")
        if method == types.EXIT:
            return
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

    async def answered(self) -> None:
        """Until every request has its answer: after a shutdown, that it was cancelled. What takes
        longer than a moment is given up."""
        for _ in range(ANSWER_TURNS):
            if not self._request_futures:
                return
            await asyncio.sleep(0.005)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(
        self, params: types.ExecuteCommandParams
    ) -> Generator[Any, Any, Any]:
        """As pygls does, but no arguments are none, which it calls any command without."""
        given = types.ExecuteCommandParams(params.command, params.arguments or [])
        try:
            return (yield from super().lsp_workspace__execute_command(given))
        except JsonRpcInvalidParams as error:
            why = error.message.removeprefix("Invalid Params: ")
            raise JsonRpcInvalidParams(f"{params.command}: {why}") from None

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *args: Any) -> None:  # type: ignore[override]
        """Cancel what is under way. Each takes itself out of the list, which pygls walks."""
        self._server.leaving.set()
        for future in list(self._request_futures.values()):
            future.cancel()
        self._shutdown = True

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


def _fault(error: BaseException, kind: type | None) -> str:
    """What is wrong with a field, for who sent it; without the value, which may be source text."""
    if isinstance(error, WrongType):
        return str(error)
    return "is missing" if isinstance(error, KeyError) else "is not what belongs there"


def _is_notification(method: str) -> bool:
    """Whether the protocol knows `method` as one that is never answered. pygls would take it for
    one whatever comes with it, and an id would be waited for."""
    known = types.METHOD_TO_TYPES.get(method)
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
    request = "method" in data
    if not request and "result" not in data and "error" not in data:
        raise JsonRpcParseError("the message is neither a request nor a notification")
    data["jsonrpc"] = "2.0"  # whatever else it says, it is understood as that
    if "id" not in data and request:
        return None
    number = data.get("id")
    if isinstance(number, float) and number.is_integer():  # JSON has but one kind of number
        number = data["id"] = int(number)
    if not isinstance(number, int | str) or isinstance(number, bool):
        wrong = JsonRpcParseError if request else JsonRpcInvalidRequest  # no answer to an answer
        raise wrong("the id must be an integer or a string")
    return number if request else None
