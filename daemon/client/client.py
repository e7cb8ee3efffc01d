"""The daemon seen from a front: satisfies `lsp.backend.Backend`, and survives the daemon.

When the daemon dies, requests under way fail at once, a new daemon is started with growing
pauses, and the documents that are open then are opened there. The session notices nothing but one
missing suggestion. One that was told to stop, or was asleep anyway, is started again by the next
request only.
"""

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Callable
from typing import Any

from ...api.report import Completion
from ...api.request import CompletionRequest
from ...lsp.backend import BackendError, BackendState, OpenDocument, Phase, Superseded, TextEdit
from .. import protocol
from ..paths import DaemonPaths
from ..protocol import ProtocolError, Why
from .startup import Link, Spawn, connect_or_start, spawn_daemon

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
        self._asleep = False
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._on_state: Callable[[BackendState], None] = lambda state: None
        self._documents: Callable[[], list[OpenDocument]] = list

    # ------------------------------------------------------------------ life

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
                if self._asleep:
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
            while (message := await protocol.read(link.reader, protocol.FromDaemon)) is not None:
                self._receive(message)
        except (ProtocolError, ConnectionError) as error:
            logger.error("the link to the daemon broke: %s", error)
        finally:
            self._link = None
            self._connected.clear()
            link.writer.close()
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(BackendError("the daemon was lost"))
            self._answers.clear()

    def _receive(self, message: protocol.FromDaemon) -> None:
        match message:
            case protocol.Completed(number, completions):
                self._settle(number, list(completions))
            case protocol.Answered(number, data):
                self._settle(number, data)
            case protocol.Failed(number, why, text):
                self._settle(number, _error(why, text))
            case protocol.State(state):
                self._asleep = state.phase is Phase.ASLEEP
                self._on_state(state)
            case protocol.Refused(text):
                logger.error("the daemon refused: %s", text)
            case protocol.Welcome():
                pass

    def _settle(self, number: int, result: Any) -> None:
        answer = self._answers.pop(number, None)
        if answer is None or answer.done():
            return
        if isinstance(result, BackendError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    # ------------------------------------------------------------------ lsp.backend.Backend

    def open(self, document: OpenDocument) -> None:
        self._send(protocol.Open(document))

    def edit(self, uri: str, version: int, edits: tuple[TextEdit, ...]) -> None:
        for first in range(0, max(1, len(edits)), protocol.MOST_EDITS):
            self._send(protocol.Edit(uri, version, edits[first : first + protocol.MOST_EDITS]))

    def close(self, uri: str) -> None:
        self._send(protocol.Close(uri))

    async def complete(self, request: CompletionRequest) -> list[Completion]:
        seconds = request.options.deadline_ms / 1e3 + 1.0  # the daemon keeps the deadline itself
        try:
            async with asyncio.timeout(seconds):
                await self._daemon()
                number = next(self._numbers)
                return await self._ask(number, protocol.Complete(number, request))
        except TimeoutError:
            raise BackendError("no answer within the deadline") from None

    async def control(self, command: Any) -> dict[str, Any]:
        """Any command of the protocol, those of `Control` among them."""
        try:
            async with asyncio.timeout(CONTROL_SECONDS):
                await self._daemon()
                number = next(self._numbers)
                return await self._ask(number, protocol.Command(number, command))
        except TimeoutError:
            raise BackendError("the daemon did not answer") from None

    # ------------------------------------------------------------------ details

    async def _daemon(self) -> None:
        """Until there is one."""
        self._wanted.set()
        await self._connected.wait()

    async def _ask(self, number: int, message: protocol.FromClient) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            if not self._send(message):
                raise BackendError("the request could not be sent")
            return await answer
        except asyncio.CancelledError:
            self._send(protocol.Cancel(number))
            raise
        finally:
            self._answers.pop(number, None)

    def _send(self, message: protocol.FromClient) -> bool:
        """Say it if there is a link; a new link begins with everything that is open anyway. False
        for what no frame can carry, such as a text over the limit: it harms nothing else."""
        if self._link is None or self._link.writer.is_closing():
            return True
        try:
            self._link.send(message)
        except ProtocolError as error:
            logger.error("not sent: %s", error)
            return False
        return True


def _error(why: Why, message: str) -> BackendError:
    return Superseded(message) if why in (Why.SUPERSEDED, Why.CANCELLED) else BackendError(message)
