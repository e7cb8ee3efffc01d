"""One client's connection: its messages, its requests under way, and what it is sent.

Every request is answered exactly once, whoever comes first: the engine, a cancel, a newer request
or the deadline. A client that does not read is cut off; nobody waits for it.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any, Protocol

from ...lsp.backend import BackendState
from .. import protocol
from ..protocol import Failed, ProtocolError, Why
from . import jobs
from .calibration import Calibration
from .engine_thread import EngineThread
from .jobs import FileKey, Reply
from .measures.metrics import Metrics

logger = logging.getLogger(__name__)

MAX_WAITING = 64  # requests of one client
MAX_BACKLOG = 4_096  # jobs in the engine's queue before clients are made to wait
MAX_UNREAD_BYTES = 16 * 1024 * 1024
DEADLINE_GRACE_SECONDS = 0.25  # the engine ends by itself at the deadline, with what it has


class Service(Protocol):
    """What a connection is part of."""

    version: str
    pid: int
    state: BackendState
    metrics: Metrics
    calibration: Calibration
    engine: EngineThread

    def command(self, connection: "Connection", request_id: int, command: Any) -> None:
        """Carry out a command; the answer may come later."""
        ...

    def active(self) -> None:
        """Someone asked for a completion."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that is not answered yet."""

    job: jobs.Complete
    started: float  # time.monotonic()
    overdue: asyncio.TimerHandle  # to be cancelled: it may be hours away, and holds the job


class Connection:
    """Reads one client until it leaves. Runs on the daemon's event loop only."""

    def __init__(
        self,
        server: Service,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.number = number
        self.hello: protocol.Hello | None = None
        self._server = server
        self._reader = reader
        self._writer = writer
        self._waiting: dict[int, Waiting] = {}  # by the client's id
        self._open: set[str] = set()

    async def serve(self) -> None:
        """Greet, then handle messages in the order in which they come."""
        try:
            if await self._greet():
                while (
                    message := await protocol.read(self._reader, protocol.FromClient)
                ) is not None:
                    await self._handle(message)
        except ProtocolError as error:
            self._server.metrics.protocol_errors += 1
            logger.warning("client %d: %s", self.number, error)
            self._cancel_all("the connection is being closed")
            self.send(protocol.Refused(str(error)))
        finally:
            self._leave()

    def send(self, message: protocol.FromDaemon) -> None:
        """Write without waiting; a client that has stopped reading is cut off. An answer that no
        frame can carry is replaced by one that says so."""
        transport = self._writer.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            logger.warning("client %d does not read; it is cut off", self.number)
            transport.abort()
            return
        try:
            frame = protocol.pack(message)
        except ProtocolError as error:
            logger.error("%s", error)
            if not isinstance(message, protocol.Completed | protocol.Answered):
                return
            frame = protocol.pack(Failed(message.id, Why.ERROR, f"internal error: {error}"))
        self._writer.write(frame)

    async def _greet(self) -> bool:
        hello = await protocol.read(self._reader, protocol.FromClient)
        if hello is None:
            return False
        if not isinstance(hello, protocol.Hello):
            raise ProtocolError("the first message must be a greeting")
        self.hello = hello
        welcome = protocol.Welcome(protocol.PROTOCOL, self._server.version, self._server.pid)
        self.send(welcome)
        self.send(protocol.State(self._server.state))
        return True

    # region Messages
    async def _handle(self, message: protocol.FromClient) -> None:
        match message:
            case protocol.Open(document):
                self._open.add(document.uri)
                await self._change(jobs.Open.of(self.number, document))
            case protocol.Edit(uri, version, edits):
                await self._change(jobs.Edit(FileKey(self.number, uri), version, edits))
            case protocol.Close(uri):
                self._open.discard(uri)
                await self._change(jobs.Close(FileKey(self.number, uri)))
            case protocol.Complete():
                self._complete(message)
            case protocol.Cancel(request_id):
                self._cancel(request_id, Why.CANCELLED, "cancelled")
            case protocol.Command(request_id, command):
                self._server.command(self, request_id, command)
            case protocol.Hello():
                raise ProtocolError("the greeting was repeated")

    async def _change(self, job: jobs.Job) -> None:
        """Pass a change on; slow down a client that sends them faster than they are made."""
        self._server.engine.put(job)
        while self._server.engine.backlog() > MAX_BACKLOG:
            await asyncio.sleep(0.01)

    def _complete(self, message: protocol.Complete) -> None:
        request_id, request = message.id, message.request
        if request_id in self._waiting:
            raise ProtocolError(f"request {request_id} is under way already")
        if len(self._waiting) >= MAX_WAITING:
            self.send(Failed(request_id, Why.BUSY, f"more than {MAX_WAITING} requests at once"))
            return
        loop = asyncio.get_running_loop()
        seconds = max(0.0, request.options.deadline_ms / 1e3)

        def reply(outcome: Reply) -> None:
            loop.call_soon_threadsafe(self._answer, request_id, job, outcome)

        def stream(text: str) -> None:
            loop.call_soon_threadsafe(self._piece, request_id, job, text)

        job = jobs.Complete(
            FileKey(self.number, request.uri),
            request,
            time.monotonic() + seconds,
            reply,
            stream if message.stream else None,
        )
        overdue = loop.call_later(seconds + DEADLINE_GRACE_SECONDS, self._overdue, request_id, job)
        self._waiting[request_id] = Waiting(job, time.monotonic(), overdue)
        self._server.active()
        self._server.engine.put(job)

    # endregion
    # region Answers
    def _piece(self, request_id: int, job: jobs.Complete, text: str) -> None:
        waiting = self._waiting.get(request_id)
        if waiting is not None and waiting.job is job:
            self.send(protocol.Piece(request_id, text))

    def _answer(self, request_id: int, job: jobs.Complete, outcome: Reply) -> None:
        waiting = self._waiting.get(request_id)
        if waiting is None or waiting.job is not job:
            return  # answered already
        if outcome.completions is not None:
            took_ms = (time.monotonic() - waiting.started) * 1e3
            self._server.metrics.completed(outcome.completions, job.request.trigger, took_ms)
            self._settle(request_id, "completed")
            judged = self._server.calibration.judged(outcome.completions)
            self.send(protocol.Completed(request_id, judged))
        elif outcome.cancelled:
            self._fail(request_id, Why.SUPERSEDED, "something newer took its place")
        elif outcome.unknown:
            self._fail(request_id, Why.UNKNOWN, "the document is not open in that version")
        else:
            self._fail(request_id, Why.ERROR, outcome.error or "no reason given")

    def _fail(self, request_id: int, why: Why, message: str) -> None:
        self._settle(request_id, why.value)
        self.send(Failed(request_id, why, message))

    def _settle(self, request_id: int, how: str) -> None:
        waiting = self._waiting.pop(request_id)
        waiting.overdue.cancel()
        self._server.metrics.ended(how, (time.monotonic() - waiting.started) * 1e3)

    def _cancel(self, request_id: int, why: Why, message: str) -> None:
        waiting = self._waiting.get(request_id)
        if waiting is not None:
            self._server.engine.withdraw(waiting.job)
            self._fail(request_id, why, message)

    def _overdue(self, request_id: int, job: jobs.Complete) -> None:
        waiting = self._waiting.get(request_id)
        if waiting is not None and waiting.job is job:
            self._cancel(request_id, Why.DEADLINE, "no answer within the deadline")

    def _cancel_all(self, why: str) -> None:
        for request_id in list(self._waiting):
            self._cancel(request_id, Why.CANCELLED, why)

    def _leave(self) -> None:
        """The client is gone, or the daemon is leaving: stop its work, answer it if anybody still
        listens, and release its files."""
        self._cancel_all("the connection ends")
        for uri in self._open:
            self._server.engine.put(jobs.Close(FileKey(self.number, uri)))
        self._writer.close()

    # endregion
