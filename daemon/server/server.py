"""The daemon's event loop: the socket, the connections, the state everyone is told, the idle clock.

Owns the connections and the metrics. The model belongs to the engine thread; the two exchange
frozen jobs and `call_soon_threadsafe` callbacks.
"""

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

import psutil

from ...lsp.backend import (
    BackendState,
    Feedback,
    NextEditQuery,
    Phase,
    Refresh,
    StatusQuery,
    UseModel,
)
from .. import protocol
from ..paths import DaemonPaths
from . import jobs
from .calibration import Calibration
from .connection import Connection
from .engine import MakeEngine
from .engine_thread import EngineThread
from .idle_limits import Due, IdleLimits
from .jobs import FileKey
from .measures.metrics import Metrics

logger = logging.getLogger(__name__)

STOPPED = "the daemon was stopped; the next request starts it"
INSPECT_SECONDS = 1.0  # how long `status` waits for an engine that is busy


class DaemonServer:
    """One per user. `run` returns when it was told to stop or has been idle long enough."""

    def __init__(
        self,
        paths: DaemonPaths,
        version: str,
        make_engine: MakeEngine,
        idle: IdleLimits,
        models: tuple[str, ...] = (),
        calibration: Calibration | None = None,
    ) -> None:
        self.version = version
        self.pid = os.getpid()
        self.state = BackendState(Phase.LOADING, "starting")
        self.metrics = Metrics()
        self.calibration = calibration or Calibration()
        self.engine = EngineThread(make_engine, self._report)
        self._paths = paths
        self._idle = idle
        self._models = models  # what UseModel without a name goes through
        self._connections: dict[int, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._counter = 0
        self._last_active = time.monotonic()
        self._last_client = time.monotonic()

    async def run(self, on_listening: Callable[[], None] = lambda: None) -> None:
        """Serve until stopped. The caller holds the lock."""
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        temporary = self._paths.runtime / f"daemon.sock.{self.pid}"
        temporary.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, temporary)
        temporary.chmod(0o600)
        temporary.rename(self._paths.socket)  # whoever finds the socket finds it listening
        logger.info("version %s listens at %s", self.version, self._paths.socket)
        on_listening()
        self.engine.start()
        ticking = self._loop.create_task(self._tick())
        try:
            await self._stopped.wait()
        finally:
            ticking.cancel()
            self._set_state(BackendState(Phase.ASLEEP, STOPPED, self.state.model))
            self._paths.socket.unlink(missing_ok=True)
            server.close()
            self.engine.put(jobs.Stop())
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.to_thread(self.engine.join, 10)

    def stop(self, reason: str) -> None:
        """End `run`; from the event loop."""
        logger.info("stopping: %s", reason)
        self._stopped.set()

    # region Connections
    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._counter += 1
        self.metrics.connections += 1
        connection = Connection(self, self._counter, reader, writer)
        try:
            if _peer_uid(writer.get_extra_info("socket")) not in (None, os.getuid()):
                connection.send(protocol.Refused("this daemon belongs to another user"))
                writer.close()
                return
            self._connections[connection.number] = connection
            await connection.serve()
        except asyncio.CancelledError:
            writer.close()  # the daemon is stopping
        except Exception:  # the boundary of one client
            logger.exception("client %d: unexpected error", connection.number)
            writer.close()
        finally:
            self._tasks.discard(task)
            self._connections.pop(connection.number, None)
            self._last_client = time.monotonic()

    def active(self) -> None:
        """Someone asked for a completion."""
        self._last_active = time.monotonic()

    # endregion
    # region Commands
    def command(self, connection: Connection, request_id: int, command: Any) -> None:
        """Carry out a command; the answer may come later, and always comes."""

        def answer(find: Callable[[], dict[str, Any]]) -> None:
            try:
                message = protocol.Answered(request_id, find())
            except Exception as error:  # the boundary of one request
                logger.exception("a %s could not be answered", type(command).__name__)
                why = f"internal error: {error or type(error).__name__}"
                message = protocol.Failed(request_id, protocol.Why.ERROR, why)
            connection.send(message)

        match command:
            case StatusQuery():
                self._inspect(None, lambda engine: answer(lambda: self._status(engine)))
            case protocol.Digest(uri):
                key = FileKey(connection.number, uri)
                self._inspect(key, lambda digest: answer(lambda: digest))
            case NextEditQuery(uri):
                key = FileKey(connection.number, uri)
                reply = self._in_loop(lambda found: answer(lambda: found))
                self.engine.put(jobs.NextEdit(key, command, reply))
            case protocol.Shutdown(reason):
                answer(dict)
                self.stop(reason)
            case _:
                answer(lambda: self._carry_out(connection, command))

    def _carry_out(self, connection: Connection, command: Any) -> dict[str, Any]:
        """A command that is done at once; what to answer."""
        match command:
            case Feedback():
                self.metrics.feedback(command)
                self.calibration.saw(command)
            case Refresh(uri):
                self.engine.put(jobs.Refresh(FileKey(connection.number, uri) if uri else None))
            case UseModel(name):
                name = name or self._next_model()
                self.engine.put(jobs.Load(name))
                return {"model": name}
            case protocol.Reload():
                self.engine.put(jobs.Load(""))
        return {}

    def _next_model(self) -> str:
        if self.state.model not in self._models:
            return self._models[0] if self._models else ""
        return self._models[(self._models.index(self.state.model) + 1) % len(self._models)]

    def _in_loop(self, then: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        """Calls `then` in the event loop, from any thread."""

        def call(data: dict[str, Any]) -> None:
            self._loop.call_soon_threadsafe(then, data)

        return call

    def _inspect(self, file: FileKey | None, then: Callable[[dict[str, Any]], None]) -> None:
        """Ask the engine thread; call `then` once, without its answer if it is too busy."""
        done = self._loop.create_future()

        def settle(data: dict[str, Any]) -> None:
            if not done.done():
                done.set_result(data)
                then(data)

        def reply(data: dict[str, Any]) -> None:
            self._loop.call_soon_threadsafe(settle, data)

        self.engine.put(jobs.Inspect(reply, file))
        if file is None:
            self._loop.call_later(INSPECT_SECONDS, settle, {})

    async def measured(self) -> dict[str, Any]:
        """What Prometheus is told."""
        found = self._loop.create_future()
        self._inspect(None, found.set_result)
        return {"engine": await found, **self._counts()}

    def _counts(self) -> dict[str, Any]:
        return {
            **self.metrics.summary(),
            "calibration": self.calibration.summary(),
            "clients": len(self._connections),
            "rss_bytes": psutil.Process().memory_info().rss,
        }

    def _status(self, engine: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._counts(),
            "version": self.version,
            "pid": self.pid,
            "phase": self.state.phase.value,
            "message": self.state.message,
            "model": self.state.model,
            "clients": [
                {"client": each.hello.client, "pid": each.hello.pid}
                for each in self._connections.values()
                if each.hello is not None
            ],
            "engine": engine,
        }

    # endregion
    # region State and time
    def _report(self, state: BackendState) -> None:
        """From the engine thread."""
        try:
            self._loop.call_soon_threadsafe(self._set_state, state)
        except RuntimeError:
            return  # the loop has ended; nobody is left to tell

    def _set_state(self, state: BackendState) -> None:
        if state != self.state:
            if state.phase is Phase.LOADING:
                self.metrics.begin_anew()
            self.state = state
            for connection in self._connections.values():
                if connection.hello is not None:
                    connection.send(protocol.State(state))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._idle.tick_seconds())
            now = time.monotonic()
            alone = None if self._connections else now - self._last_client
            loaded = self.state.phase is Phase.READY
            match self._idle.due(now - self._last_active, alone, loaded):
                case Due.EXIT:
                    self.stop("idle")
                case Due.FREE:
                    self._last_active = now
                    self.engine.put(jobs.Free())
                case Due.NOTHING:
                    pass

    # endregion


def _peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end; None where the system can't say (the directory protects)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", data)[1]
