"""The daemon seen from a front: satisfies `lsp.backend.Backend`, and survives the daemon.

When the daemon dies, requests under way fail at once, a new daemon is started with growing
pauses, and the documents that are open then are opened there. The session notices nothing but one
missing suggestion. One that was told to stop, or was asleep anyway, is started again by the next
request only.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from ...api.report import Completion
from ...api.request import CompletionRequest
from ...lsp.backend import BackendError, BackendState, OpenDocument, Phase, TextEdit
from .. import protocol
from ..paths import DaemonPaths
from ..protocol import ProtocolError
from .link import Link, Numbered
from .startup import Spawn, connect_or_start, spawn_daemon

logger = logging.getLogger(__name__)

BACK_OFF_SECONDS = (0.05, 5.0)
CONTROL_SECONDS = 30.0


class DaemonClient:
    """A link to the user's daemon that is made again whenever it breaks."""

    def __init__(
        self, paths: DaemonPaths, version: str, client: str, spawn: Spawn = spawn_daemon
    ) -> None:
        self._paths = paths
        self._hello = protocol.Hello(protocol.PROTOCOL, version, client, os.getpid())
        self._spawn = spawn
        self._link: Link | None = None
        self._connected = asyncio.Event()
        self._wanted = asyncio.Event()  # something waits for a daemon
        self._on_state: Callable[[BackendState], None] = lambda state: None
        self._documents: Callable[[], list[OpenDocument]] = list

    # region Life
    async def run(
        self,
        documents: Callable[[], list[OpenDocument]],
        on_state: Callable[[BackendState], None],
    ) -> None:
        """Keep connected until cancelled. `documents` says what to open in a new daemon."""
        self._documents, self._on_state = documents, on_state
        pause, longest = BACK_OFF_SECONDS
        while True:
            try:
                link = await connect_or_start(self._paths, self._hello, self._spawn)
            except BackendError as error:
                self._on_state(BackendState(Phase.FAILED, str(error)))
            else:
                linked = time.monotonic()
                await self._follow(link)
                if time.monotonic() - linked > longest:  # it was not what we said first
                    pause = BACK_OFF_SECONDS[0]
                if link.state.phase is Phase.ASLEEP:
                    self._wanted.clear()
                    await self._wanted.wait()
                self._on_state(BackendState(Phase.STARTING, "the daemon is being restarted"))
            await asyncio.sleep(pause)
            pause = min(longest, pause * 2)

    async def _follow(self, link: Link) -> None:
        """Use one link until it breaks."""
        self._link = link
        try:
            for document in self._documents():
                self.open(document)
            self._connected.set()
            await link.listen(self._on_state)
        finally:
            self._link = None
            self._connected.clear()
            link.close()
            logger.info("%s", link.lost)

    # endregion
    # region lsp.backend.Backend
    def open(self, document: OpenDocument) -> None:
        self._send(protocol.Open(document))

    def edit(self, uri: str, version: int, edits: tuple[TextEdit, ...]) -> None:
        for first in range(0, max(1, len(edits)), protocol.MOST_EDITS):
            self._send(protocol.Edit(uri, version, edits[first : first + protocol.MOST_EDITS]))

    def close(self, uri: str) -> None:
        self._send(protocol.Close(uri))

    async def complete(self, request: CompletionRequest) -> list[Completion]:
        seconds = request.options.deadline_ms / 1e3 + 1.0  # the daemon keeps the deadline itself
        return await self._ask(
            lambda number: protocol.Complete(number, request), seconds, "within the deadline"
        )

    async def control(self, command: Any) -> dict[str, Any]:
        """Any command of the protocol, those of `Control` among them."""
        return await self._ask(
            lambda number: protocol.Command(number, command),
            CONTROL_SECONDS,
            f"within {CONTROL_SECONDS:g} s",
        )

    # endregion
    # region Details
    async def _ask(self, request: Numbered, seconds: float, within: str) -> Any:
        """The answer of the daemon, once there is one."""
        self._wanted.set()
        try:
            async with asyncio.timeout(seconds):
                while self._link is None:
                    await self._connected.wait()
                return await self._link.ask(request)
        except TimeoutError:
            raise BackendError(f"no answer {within}") from None
        except ProtocolError as error:
            raise BackendError(f"the request could not be sent: {error}") from error

    def _send(self, message: protocol.FromClient) -> None:
        """Say it if there is a link; a new link begins with everything that is open anyway."""
        if self._link is None:
            return
        try:
            self._link.send(message)
        except ProtocolError as error:
            logger.error("not sent: %s", error)

    # endregion
