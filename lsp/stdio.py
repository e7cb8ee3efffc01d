"""Messages over standard input and output: `Content-Length` framing on asyncio pipes.

pygls reads its header lines through a pool of threads, four hops a message; pipes that the event
loop watches itself need none. Where input or output is not a pipe (a file, in a script), threads
do the reading.
"""

import asyncio
import logging
import re
import sys
from collections.abc import Callable
from typing import BinaryIO

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_UNREAD_BYTES = 64 * 1024 * 1024  # an editor that reads nothing any more is gone
_CONTENT_LENGTH = re.compile(rb"content-length\s*:\s*(\d{1,12})\s*", re.IGNORECASE)


async def read_messages(
    reader: asyncio.StreamReader, receive: Callable[[bytes], None], ended: Callable[[], bool]
) -> None:
    """Pass every message body to `receive` until the input or the session ends.

    A body over the limit is read past and left out; lines that are no header are skipped.
    """
    length: int | None = None
    while not ended():
        try:
            line = await reader.readline()
        except ValueError:  # a line longer than the reader's limit: not a header
            continue
        if not line:
            return
        match = _CONTENT_LENGTH.fullmatch(line)
        if match:
            length = int(match.group(1))
        elif not line.strip() and length is not None:
            body = await _read_body(reader, length)
            length = None
            if body:
                receive(body)


async def _read_body(reader: asyncio.StreamReader, length: int) -> bytes:
    if length <= MAX_BODY_BYTES:
        try:
            return await reader.readexactly(length)
        except asyncio.IncompleteReadError:
            return b""
    logger.error("a message of %d bytes is over the limit and was left out", length)
    while length > 0:
        chunk = await reader.read(min(length, 1 << 20))
        if not chunk:
            break
        length -= len(chunk)
    return b""


async def open_reader(stdin: BinaryIO = sys.stdin.buffer) -> asyncio.StreamReader:
    """A reader of standard input, whatever it is connected to."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 20)
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), stdin)
    except ValueError:  # not a pipe, a socket or a terminal
        data = await asyncio.to_thread(stdin.read)
        reader.feed_data(data)
        reader.feed_eof()
    return reader


class Output:
    """Standard output as pygls writes to it: never blocks the loop."""

    def __init__(self, transport: asyncio.WriteTransport | None, stdout: BinaryIO) -> None:
        self._transport = transport
        self._stdout = stdout

    @classmethod
    async def open(cls, stdout: BinaryIO = sys.stdout.buffer) -> "Output":
        loop = asyncio.get_running_loop()
        try:
            transport, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, stdout)
        except ValueError:
            transport = None
        return cls(transport, stdout)

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._stdout.write(data)
            self._stdout.flush()
        elif self._transport.is_closing():
            return
        elif self._transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            logger.error("the editor stopped reading; the session ends")
            self._transport.abort()
        else:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def flushed(self) -> None:
        """Wait until what was written has left, unless nobody reads it."""
        for _ in range(200):
            if self._transport is None or self._transport.is_closing():
                return
            if not self._transport.get_write_buffer_size():
                return
            await asyncio.sleep(0.005)
