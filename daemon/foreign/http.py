"""A server that is not ours, as HTTP: what it streams, line by line and never without an end, and
its refusals in words.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from math import isfinite
from typing import Any

import httpx2

from ..remote.errors import ServerAway, ServerBusy, ServerRefuses
from ..workspace.printable import printable

CONNECT_SECONDS = 3.0
LOOK_SECONDS = 5.0
BUSY_SECONDS = 2.0
MOST_LINE_BYTES = 2**20  # of what is streamed; a token with its rivals has some hundred
MOST_STREAM_BYTES = 32 * 2**20
MOST_BODY_BYTES = 4 * 2**20  # of what is not
CUT = "cut its answer off"


class Http:
    """At one address. Used from one event loop. Raises `ServerError` only."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {"accept-encoding": "identity"}  # what is packed comes late
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        self._client = httpx2.AsyncClient(headers=headers, timeout=timeout)
        self._url = url

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """JSON."""
        try:
            async with (
                asyncio.timeout(LOOK_SECONDS),
                self._client.stream("GET", self._url + path) as response,
            ):
                content = await _read(response)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise ServerAway(f"cannot be reached: {str(error) or type(error).__name__}") from error
        if not response.is_success:
            raise _error(response.status_code, content, response.headers)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ServerRefuses("speaks no JSON: look at the address") from error

    async def events(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any]]:
        """The objects of a stream of server-sent events, or of one object a line, until its end or
        `[DONE]`. Closing it ends the work there."""
        try:
            async with self._client.stream("POST", self._url + path, json=body) as response:
                if not response.is_success:
                    content = await _read(response)
                    raise _error(response.status_code, content, response.headers)
                async for line in _lines(response.aiter_bytes()):
                    event = _event(line)
                    if event is None:
                        return
                    if "error" in event:
                        raise ServerAway(f"cannot go on ({words_of(event) or 'an error'})")
                    yield event
        except (httpx2.HTTPError, OSError) as error:
            raise ServerAway(f"cannot be reached: {str(error) or type(error).__name__}") from error


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Those that say something. Raises `ServerRefuses` for one that has no end, and where they
    have none."""
    held, total = b"", 0
    async for piece in pieces:
        total += len(piece)
        if total > MOST_STREAM_BYTES:
            raise ServerRefuses("says more than anybody reads: look at the address")
        *whole, held = (held + piece).split(b"\n")
        for line in filter(None, whole):
            yield line
        if len(held) > MOST_LINE_BYTES:
            raise ServerRefuses("says more in one line than anybody reads: look at the address")
        await asyncio.sleep(0)  # however much there is, it is not all there is to do
    yield held


def _event(line: bytes) -> Mapping[str, Any] | None:
    """What a line says; nothing in a comment or the name of an event. None: the end. Raises
    `ServerAway` for what is no object: without it the answer would be another one."""
    text = line.decode("utf-8", "replace").strip("\ufeff\r\n\t ")
    if not text.startswith("{"):
        name, _, text = text.partition(":")
        text = text.strip() if name == "data" else ""
    if text == "[DONE]":
        return None
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping):
        raise ServerAway(f"{CUT}: something in it cannot be read")
    return found


async def _read(response: httpx2.Response) -> bytes:
    content = b""
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MOST_BODY_BYTES:
            raise ServerRefuses("says more than anybody reads: look at the address")
    return content


def _error(status: int, content: bytes, headers: Mapping[str, str]) -> Exception:
    try:
        said = words_of(json.loads(content))
    except (ValueError, RecursionError):
        said = ""
    said = said or f"HTTP {status}"
    match status:
        case 401 | 403:
            return ServerRefuses(f"wants another key ({said}): set KEYTURN_TOKEN")
        case 404 | 405:
            return ServerRefuses(f"has no such model or address ({said})")
        case 429:
            try:
                seconds = float(headers["retry-after"])
            except (KeyError, ValueError):
                seconds = BUSY_SECONDS
            seconds = min(60.0, max(0.5, seconds)) if isfinite(seconds) else BUSY_SECONDS
            return ServerBusy(said, seconds)
        case 503:
            return ServerAway(f"is not ready ({said})")
        case code if code >= 500:
            return ServerAway(f"cannot answer ({said})")
    return ServerRefuses(f"refuses the request ({said})")


def words_of(said: Any) -> str:
    """What an error says, in one line, however deep its server has put that; empty for nothing."""
    for _ in range(4):
        if isinstance(said, list):
            said = said[0] if said else ""
        if not isinstance(said, Mapping):
            break
        names = ("error", "message", "detail", "msg")
        said = next((said[name] for name in names if said.get(name)), "")
    return "" if isinstance(said, Mapping | list) else printable(" ".join(str(said).split())[:200])
