"""The language server: pygls features wired to one session, over standard input and output."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.lsp.server import LanguageServer

from ..api.report import Completion
from ..api.request import Trigger
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
from .documents import Documents
from .options import Options, shown
from .position import choose
from .progress import BUSY, LoadProgress
from .protocol import Protocol, strict_converter
from .session import Session
from .translate import (
    ACCEPTED_COMMAND,
    extending,
    inline_items,
    menu_items,
    place_of,
    status_of,
    trigger_of,
)
from .uris import file_path

logger = logging.getLogger(__name__)

MOST_POP_UPS = 3  # at once, about settings


# The options in a workspace (None: wherever the process is), and what is wrong with its settings.
Configured = Callable[[str | None], tuple[Options, Iterable[str]]]


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
        self._configured = configured
        self.session = Session(backend, documents, Options(), self.problem)
        self.state = BackendState(Phase.STARTING)
        self._progress = LoadProgress(self)
        self._troubled = False  # the status bar shows a problem
        self.ready = asyncio.Event()  # the client has said `initialized` and takes notifications
        self.leaving = asyncio.Event()  # the client has said `shutdown`, or has gone
        self._folders: list[str] = []
        self._base_options = self.session.options  # those of files
        self._settings: Mapping[str, Any] = {}  # the editor's, over them
        self._problems: list[str] = []  # of the settings, shown when the client is ready
        self._known: set[str] = set()  # those shown, or about to be
        self.reread()
        _register(self)

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Into the log: completion never opens a pop-up."""
        logger.error("%s", error)

    # ------------------------------------------------------------------ from the backend

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

    # ------------------------------------------------------------------ settings

    def enter(self, workspace_uris: Iterable[str | None]) -> None:
        """Use the settings that hold in these folders."""
        self._folders = [path for uri in workspace_uris if uri and (path := file_path(uri))]
        self.reread()

    def reread(self) -> None:
        """Use the settings files as they are now: those of the first folder, but what any folder
        keeps from us by a glob is kept."""
        found = [self._configured(path) for path in self._folders or [None]]
        globs = dict.fromkeys(glob for options, _ in found for glob in options.disabled_globs)
        self._base_options = replace(found[0][0], disabled_globs=tuple(globs))
        self._apply([line for _, problems in found for line in problems])

    def configure(self, settings: Any) -> None:
        """Put the editor's settings over those of the configuration files."""
        if isinstance(settings, Mapping) and "keyturn" in settings:
            settings = settings["keyturn"]
        if isinstance(settings, list) and not settings:  # as Lua sends a table without entries
            settings = {}
        if isinstance(settings, Mapping):
            self._settings = settings
            self._apply([])
        elif settings is not None:
            self._apply([f"keyturn: the settings are {shown(settings)}, but must be an object"])

    def toggle(self) -> bool:
        """Switch suggestions off, or on again, until the editor's own settings change; which."""
        self._settings = {**self._settings, "enabled": not self.session.options.enabled}
        self._apply([])
        return self.session.options.enabled

    def _apply(self, problems: Iterable[str]) -> None:
        """`problems` are those of the files; the editor's are found here. Each is shown once."""
        options, more = self._base_options.updated(self._settings)
        self.session.set_options(options)
        fresh = [each for each in dict.fromkeys((*problems, *more)) if each not in self._known]
        self._known.update(fresh)
        self._problems += fresh
        if self.ready.is_set():
            self.show_problems()
            self._tell(self.state)  # what is switched off may be another thing now

    async def start(self) -> None:
        """The client is ready to be talked to."""
        self.ready.set()
        self.show_problems()
        self.state_changed(self.state)
        await self.fetch_settings()

    def show_problems(self) -> None:
        """One pop-up each, or one for all where they are many."""
        found, self._problems = self._problems, []
        if len(found) > MOST_POP_UPS:
            rest = len(found) - MOST_POP_UPS
            found = ["; ".join(found[:MOST_POP_UPS]) + f"; and {rest:,} problems more"]
        for message in found:
            self.window_show_message(types.ShowMessageParams(types.MessageType.Warning, message))

    async def fetch_settings(self) -> None:
        """Ask a client that hands its settings out only on request."""
        workspace = self.client_capabilities.workspace
        if workspace is None or not workspace.configuration:
            return
        item = types.ConfigurationItem(section="keyturn")
        answer = await self.workspace_configuration_async(types.ConfigurationParams([item]))
        self.configure(answer[0] if answer else None)

    # ------------------------------------------------------------------ completions

    async def suggest(
        self, uri: str, position: types.Position, trigger: Trigger
    ) -> list[Completion]:
        try:
            found = await self.session.complete(uri, place_of(position), trigger)
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


def _register(server: KeyturnServer) -> None:
    """Say which requests are understood. pygls advertises what is registered."""
    session = server.session

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        capabilities = params.capabilities
        chosen = ServerCapabilitiesBuilder.choose_position_encoding(capabilities)
        session.documents.encoding = choose([getattr(chosen, "value", chosen)])
        folders = params.workspace_folders
        server.enter([folder.uri for folder in folders] if folders else [params.root_uri])
        server.configure(params.initialization_options)
        text_document = capabilities.text_document
        if text_document is None or text_document.inline_completion is None:
            _register_menu(server)

    @server.feature(types.INITIALIZED)
    async def initialized(params: types.InitializedParams) -> None:
        await server.start()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    async def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        if params.settings:
            server.configure(params.settings)
        else:
            await server.fetch_settings()

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(params: types.InlineCompletionParams) -> Any:
        uri = params.text_document.uri
        trigger = trigger_of(params.context.trigger_kind)
        completions = await server.suggest(uri, params.position, trigger)
        selected = params.context.selected_completion_info
        document = session.documents.get(uri)
        if selected is not None and document is not None:
            completions = extending(document, completions, selected, session.documents.encoding)
        return types.InlineCompletionList(server.items(uri, completions, inline_items))

    _register_commands(server)


def _register_menu(server: KeyturnServer) -> None:
    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions())
    async def completion(params: types.CompletionParams) -> types.CompletionList:
        uri = params.text_document.uri
        completions = await server.suggest(uri, params.position, Trigger.TYPING)
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
    async def accepted(uri: str) -> None:
        session.accepted(uri)

    @server.command("keyturn.toggle")
    async def toggle() -> dict[str, Any]:
        return {"enabled": server.toggle()}

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
    await output.flushed()
    output.close()
    return 0 if protocol.exit_code is None else protocol.exit_code
