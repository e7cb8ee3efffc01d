"""A door before a server: a TCP port that leads to it while it is open."""

import asyncio
import threading
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress

from keyturn.daemon.bench._team.own_server import free_port


class Door:
    """Open at first. `url` is its own."""

    def __init__(self, port: int) -> None:
        """`port`: of the server behind it."""
        self._behind = port
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._through: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        self._do(self._open())

    def shut(self) -> None:
        """With all that goes through it."""
        self._do(self._shut())

    def end(self) -> None:
        self.shut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()

    def _do(self, work: Awaitable[None]) -> None:
        async def done() -> None:
            await work

        asyncio.run_coroutine_threadsafe(done(), self._loop).result(20)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self._port)

    async def _shut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writers in self._through.values():
            for writer in writers:
                writer.close()
        await asyncio.gather(*self._through, return_exceptions=True)

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._behind)
        task = asyncio.current_task()
        assert task is not None
        self._through[task] = [writer, back]
        await asyncio.gather(_carry(reader, back), _carry(there, writer))
        del self._through[task]


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    with suppress(Exception):
        writer.close()


@contextmanager
def door(url: str) -> Iterator[Door]:
    """Before the server at `url`."""
    made = Door(int(url.rpartition(":")[2]))
    try:
        yield made
    finally:
        made.end()
