"""The language server: pygls features wired to one session, over standard input and output."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.lsp.server import LanguageServer

from ..api.report import Completion
from ..api.request import Trigger
from ..api.uris import file_path
from . import stdio
from .backend import (
    Backend,
    BackendError,
    BackendState,
    Phase,
    Refresh,
    StatusQuery,
    Superseded,
    UseModel,
)
from .documents import Document, Documents
from .next_edit import features as next_edits
from .next_edit.next_edits import Found
from .position import choose
from .progress import BUSY, LoadProgress
from .protocol import Protocol, strict_converter
from .session import Session
from .settings import Configured, Settings
from .translate import (
    ACCEPTED_COMMAND,
    account_of,
    extending,
    inline_items,
    menu_items,
    position_of,
    status_of,
    trigger_of,
)

logger = logging.getLogger(__name__)


class KeyturnServer(LanguageServer):
    """pygls' server with our protocol and our session."""

    protocol: Protocol  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        version: str,
        backend: Backend,
        documents: Documents,
        configured: Configured,
    ) -> None:
        super().__init__(
            "keyturn", version, protocol_cls=Protocol, converter_factory=strict_converter
        )
        self.settings = Settings(configured, self._use_settings)
        self.session = Session(
            backend, documents, self.settings.options, self.problem, self._show_next_edit
        )
        self.state = BackendState(Phase.STARTING)
        self._progress = LoadProgress(self)
        self._troubled = False  # the status bar shows a problem
        self.ready = asyncio.Event()  # the client has said `initialized` and takes notifications
        self.leaving = asyncio.Event()  # the client has said `shutdown`, or has gone
        _register(self)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Into the log: completion never opens a pop-up."""
        logger.error("%s", error)

    # region From the backend
    def state_changed(self, state: BackendState) -> None:
        """The backend does something else now: tell the status bar and the progress display."""
        if self.state.model and state.model != self.state.model:
            self.session.forget_suggestions()
        self.state = state
        self.session.phase = state.phase
        self._tell(state)
        if self.ready.is_set():
            self._progress.show(state)

    def problem(self, message: str) -> None:
        """A request failed for a reason that the user may want to know, until one succeeds. While
        the model is being loaded, that is the reason, and shown already."""
        if self.state.phase in (Phase.STARTING, *BUSY):
            return
        self._troubled = True
        self._tell(BackendState(Phase.FAILED, message, self.state.model))

    def _tell(self, state: BackendState) -> None:
        if self.ready.is_set():
            self.protocol.notify("keyturn/status", status_of(state, self.session.options.enabled))

    def _show_next_edit(self, document: Document, found: Found | None) -> None:
        encoding = self.session.documents.encoding
        if self.session.leads:
            self.protocol.notify(next_edits.CHANGED, next_edits.shown(document, found, encoding))

    # endregion
    # region Settings
    def _use_settings(self) -> None:
        self.session.set_options(self.settings.options)
        if self.ready.is_set():
            self._show_problems()
            self._tell(self.state)  # what is switched off may be another thing now

    async def start(self) -> None:
        """The client is ready to be talked to."""
        self.ready.set()
        self._show_problems()
        self.state_changed(self.state)
        await self.fetch_settings()

    def _show_problems(self) -> None:
        for message in self.settings.unsaid():
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    async def fetch_settings(self) -> None:
        """Ask a client that hands its settings out only on request."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        item = types.ConfigurationItem(section="keyturn")
        answer = await self.workspace_configuration_async(types.ConfigurationParams([item]))
        self.settings.configure(answer[0] if answer else None)

    # endregion
    # region Completions
    async def suggest(
        self, uri: str, position: types.Position, trigger: Trigger, everything: bool = False
    ) -> list[Completion]:
        try:
            place = position_of(position)
            found = await self.session.complete(uri, place, trigger, everything)
        except Superseded as error:
            raise asyncio.CancelledError from error  # answered as cancelled
        if found and self._troubled:
            self._troubled = False
            self._tell(self.state)
        return found

    def items(self, uri: str, completions: list[Completion], make: Callable[..., list[Any]]):
        document = self.session.documents.get(uri)
        if document is None:
            return []
        return make(document, completions, self.session.documents.encoding)

    # endregion


def _register(server: KeyturnServer) -> None:
    """Say which requests are understood. pygls advertises what is registered."""
    session = server.session

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        capabilities = params.capabilities
        chosen = ServerCapabilitiesBuilder.choose_position_encoding(capabilities)
        session.documents.encoding = choose([getattr(chosen, "value", chosen)])
        folders = params.workspace_folders
        uris = [folder.uri for folder in folders] if folders else [params.root_uri]
        server.settings.enter([path for uri in uris if uri and (path := file_path(uri))])
        server.settings.configure(params.initialization_options)
        session.leads = next_edits.are_shown(capabilities.experimental)
        text_document = capabilities.text_document
        if text_document is None or text_document.inline_completion is None:
            _register_menu(server)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await server.start()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        if params.settings:
            server.settings.configure(params.settings)
        else:
            await server.fetch_settings()

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(params: types.InlineCompletionParams) -> Any:
        uri = params.text_document.uri
        trigger = trigger_of(params.context.trigger_kind)
        selected = params.context.selected_completion_info
        everything = selected is not None  # which speaks for what begins with it
        completions = await server.suggest(uri, params.position, trigger, everything)
        document = session.documents.get(uri)
        if not completions and selected is None and not session.leads:
            found = await next_edits.item_at(session, uri, params.position)
            return types.InlineCompletionList([] if found is None else [found])
        if selected is not None and document is not None:
            eagerness, encoding = session.options.eagerness, session.documents.encoding
            completions = extending(document, completions, selected, encoding, eagerness)
        return types.InlineCompletionList(server.items(uri, completions, inline_items))

    next_edits.register(server, session, server.problem)
    _register_commands(server)


def _register_menu(server: KeyturnServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    async def completion(params: types.CompletionParams) -> types.CompletionList:
        uri = params.text_document.uri
        # A menu stands beside the text, and shows others' entries too.
        completions = await server.suggest(uri, params.position, Trigger.TYPING, everything=True)
        items = server.items(uri, completions, menu_items)
        return types.CompletionList(is_incomplete=True, items=items)


def _register_commands(server: KeyturnServer) -> None:
    session = server.session

    async def answered(work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        try:
            return await work
        except BackendError as error:
            server.problem(str(error))
            return {"error": str(error)}

    @server.command(ACCEPTED_COMMAND)
    async def accepted(uri: str, number: int = 0) -> None:
        session.accepted(uri, number)

    @server.command("keyturn.toggle")
    async def toggle() -> dict[str, Any]:
        server.settings.toggle()
        return {"enabled": session.options.enabled}

    @server.command("keyturn.cycleModel")
    async def cycle_model() -> dict[str, Any]:
        session.forget_suggestions()
        return await answered(session.control(UseModel()))

    @server.command("keyturn.useModel")
    async def use_model(name: str) -> dict[str, Any]:
        session.forget_suggestions()
        return await answered(session.control(UseModel(name)))

    @server.command("keyturn.refresh")
    async def refresh() -> dict[str, Any]:
        session.forget_suggestions()
        return await answered(session.control(Refresh()))

    @server.command("keyturn.documentStatus")
    async def document_status(uri: str) -> dict[str, Any]:
        return {
            "refusal": session.refusal(uri),
            "disabledLanguages": list(session.options.disabled_languages),
        }

    @server.command("keyturn.why")
    async def why(uri: str) -> dict[str, object] | None:
        account = session.why(uri)
        return account and account_of(account)

    @server.command("keyturn.showStatus")
    async def show_status() -> dict[str, Any]:
        return await answered(session.control(StatusQuery()))


async def serve(server: KeyturnServer) -> int:
    """Serve standard input and output until the editor leaves; the exit code for the process."""
    reader = await stdio.open_reader()
    output = await stdio.Output.open()
    protocol = server.protocol
    protocol.set_writer(output)
    await stdio.read_messages(reader, protocol.receive, lambda: protocol.exit_code is not None)
    server.leaving.set()
    await protocol.answered()
    await output.flushed()
    output.close()
    return 0 if protocol.exit_code is None else protocol.exit_code
