"""A daemon in the test's own process, with tiny engines, and clients of it."""

import asyncio
from pathlib import Path
from typing import Any

from keyturn.api.request import CompletionOptions, CompletionRequest
from keyturn.daemon.client.client import DaemonClient
from keyturn.daemon.paths import DaemonPaths, make_private
from keyturn.daemon.server.engine import MakeEngine
from keyturn.daemon.server.idle_limits import IdleLimits
from keyturn.daemon.server.server import DaemonServer
from keyturn.lsp.backend import BackendState, OpenDocument, StatusQuery
from support.daemon.small_engine import TinyMaker
from support.until import until_async

URI = "file:///a.py"


class Daemon:
    def __init__(
        self,
        folder: Path,
        idle: IdleLimits | None = None,
        version: str = "1.0",
        make: MakeEngine | None = None,
    ) -> None:
        """`make`: something else than tiny engines."""
        make_private(folder)
        self.paths = DaemonPaths(folder, folder / "log")
        self.maker = TinyMaker()
        limits = idle or IdleLimits(0, 0)
        made = make or self.maker
        self.server = DaemonServer(self.paths, version, made, limits, ("tiny", "other"))
        self.running: asyncio.Task[None] | None = None
        self.states: list[BackendState] = []
        self._clients: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Daemon":
        listening = asyncio.Event()
        self.running = asyncio.create_task(self.server.run(listening.set))
        await listening.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        self.maker.gate.set()
        if self.running is not None:
            self.server.stop("the test is over")
            await self.running

    def client(self, documents: Any = list) -> DaemonClient:
        async def spawn(paths: DaemonPaths) -> None:
            raise AssertionError("there is a daemon")

        client = DaemonClient(self.paths, "1.0", "test", spawn)
        self._clients.append(asyncio.create_task(client.run(documents, self.states.append)))
        return client

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.paths.socket)


def request(version: int = 1, offset: int = 0, uri: str = URI, **options: Any) -> CompletionRequest:
    return CompletionRequest(uri, version, offset, options=CompletionOptions(**options))


async def ready(client: DaemonClient, text: str = "text", uri: str = URI) -> None:
    """Connect, wait until a model is loaded, and open a document."""

    async def loaded() -> bool:
        return (await client.control(StatusQuery()))["phase"] not in ("loading", "starting")

    await until_async(loaded, "a model is loaded")
    client.open(OpenDocument(uri, "python", 1, text))
