"""A team's server, as HTTP: `messages.py` has what is said. Asynchronous, without threads."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import urlsplit

import httpx2

from ...api.request import CompletionRequest
from ...cache.errors import InputError
from ..workspace.printable import printable
from .errors import NotKnown, NotSent, Outdated, ServerAway, ServerBusy, ServerRefuses
from .messages import (
    CHUNKS_HEADER,
    FILE_HEADER,
    MOST_BODY_BYTES,
    REPLICA_HEADER,
    WIRE,
    About,
    Answered,
    Ask,
    BadMessage,
    FileState,
    pack,
    unpack,
)
from .remote_file import RemoteFile
from .reply import Reply

CONNECT_SECONDS = 3.0
QUICK_SECONDS = 5.0  # for what takes a server no time
MOST_SECONDS = 20.0  # for an answer; no server of ours takes longer
GRACE_SECONDS = 1.0  # the server keeps the deadline itself
MOMENT_SECONDS = 0.5  # in which all parts of a server hear where a file is
BUSY_SECONDS = 1.0  # where it does not say how long


@dataclass(frozen=True, slots=True)
class Received:
    """An answer that is none of an error."""

    content: bytes
    headers: Mapping[str, str]


class TeamServer:
    """The server at one address. Used from one event loop."""

    def __init__(self, url: str, token: str | None) -> None:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        timeout = httpx2.Timeout(QUICK_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx2.AsyncClient(base_url=url, headers=headers, timeout=timeout)

    async def about(self) -> About:
        """Who it is. Raises `ServerError`, as all of these."""
        response = await self._send("GET", "/v1/about")
        try:
            about = About(**json.loads(response.content))
        except (ValueError, TypeError) as error:
            raise ServerRefuses("is no keyturn server: look at the address") from error
        if not isinstance(about.model, str) or not isinstance(about.version, str):
            raise ServerRefuses("is no keyturn server: look at the address")
        if about.wire != WIRE:
            raise ServerRefuses(
                f"the server is of another version ({about.version}): update keyturn here or there"
            )
        return about

    async def edit(self, key: str, file: RemoteFile) -> None:
        """Let the server have the file as it is now."""
        await self._about_file("/v1/edit", key, file, None, QUICK_SECONDS)

    async def complete(self, key: str, file: RemoteFile, request: CompletionRequest) -> Reply:
        """Completions in the file as it is now. Who is cancelled here closes the connection, which
        stops the work."""
        seconds = min(request.options.deadline_ms / 1e3, MOST_SECONDS) + GRACE_SECONDS
        response = await self._about_file("/v1/complete", key, file, request, seconds)
        try:
            answered = unpack(response.content, None, Answered)
        except BadMessage as error:
            raise ServerRefuses(f"the server's answer cannot be read: {error}") from error
        return Reply(answered.completions, response.headers.get(REPLICA_HEADER, ""))

    async def surround(self, key: str, file: RemoteFile) -> None:
        """Let the server have what the file is to be shown of its project. Raises `NotKnown` where
        it does not know the file."""
        try:
            body, headers = pack(file.surroundings())
        except BadMessage as error:
            raise NotSent(f"what its project has cannot be sent: {error}") from error
        try:
            response = await self._send("POST", "/v1/project", body, {**headers, FILE_HEADER: key})
        except NotKnown:
            file.tried()
            raise
        file.tried()
        file.shows(response.headers.get(CHUNKS_HEADER, ""))

    async def close_file(self, key: str) -> None:
        """The server may forget the file."""
        await self._send("POST", "/v1/close", headers={FILE_HEADER: key})

    async def close(self) -> None:
        await self._client.aclose()

    async def _about_file(
        self,
        path: str,
        key: str,
        file: RemoteFile,
        request: CompletionRequest | None,
        seconds: float,
    ) -> Received:
        """With what the server lacks of the file; with all of it where it does not know that."""
        revision = file.revision
        if not file.is_known:
            async with file.introducing:
                if request is not None and file.revision != revision:
                    raise Outdated("the file was edited meanwhile")
                return await self._in_turn(path, key, file, request, seconds)
        return await self._in_turn(path, key, file, request, seconds)

    async def _in_turn(
        self,
        path: str,
        key: str,
        file: RemoteFile,
        request: CompletionRequest | None,
        seconds: float,
    ) -> Received:
        state = file.state()
        try:
            return await self._with(path, key, file, state, request, seconds)
        except NotKnown:
            file.forgotten()
            if request is None:  # it may be somewhere, and be found in a moment
                await asyncio.sleep(MOMENT_SECONDS)
            elif file.revision != state.revision:
                raise Outdated("the file was edited meanwhile") from None
            try:
                return await self._with(path, key, file, file.state(), request, seconds)
            except NotKnown as error:
                raise NotSent(f"the file is not taken: {error}") from error

    async def _with(
        self,
        path: str,
        key: str,
        file: RemoteFile,
        state: FileState,
        request: CompletionRequest | None,
        seconds: float,
    ) -> Received:
        try:
            body, headers = pack(state if request is None else Ask(state, request))
        except BadMessage as error:
            raise NotSent(f"the file cannot be sent: {error}") from error
        headers[FILE_HEADER] = key
        response = await self._send("POST", path, body, headers, seconds)
        file.confirmed(state.revision)
        file.shows(response.headers.get(CHUNKS_HEADER, ""))
        return response

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = QUICK_SECONDS,
    ) -> Received:
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.stream(
                    method, path, content=body, headers=headers, timeout=seconds
                ) as response,
            ):
                content = await _read(response)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise ServerAway(f"cannot be reached: {str(error) or type(error).__name__}") from error
        except httpx2.InvalidURL as error:
            raise ServerRefuses(f"has an address that is none: {error}") from error
        if response.is_success:
            return Received(content, response.headers)
        raise _error(response.status_code, content, response.headers)


def check_url(url: str) -> None:
    """Raises `InputError` for what is no address of a server."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise InputError(f"{url!r:.120} is no server's address: https://host:port")


async def _read(response: httpx2.Response) -> bytes:
    """No more than a server of ours ever says."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > MOST_BODY_BYTES:
            raise ServerRefuses("says more than anybody reads: look at the address")
    return bytes(content)


def _error(status: int, content: bytes, headers: Mapping[str, str]) -> Exception:
    said = _said(content) or f"HTTP {status}"
    match status:
        case 409:
            return NotKnown(said)
        case 410:
            return Outdated(said)
        case 400 | 413 | 415:
            return NotSent(said)
        case 401 | 403:
            return ServerRefuses(
                f"refuses the token ({said}): set KEYTURN_TOKEN, or write the right one to the"
                " file that `keyturn config token` names"
            )
        case 429:
            return ServerBusy(said, _seconds(headers))
        case 404 | 405:
            return ServerRefuses("is no keyturn server: look at the address")
        case code if code >= 500 or code == 408:
            return ServerAway(f"cannot answer: {said}")
    return ServerRefuses(said)


def _said(content: bytes) -> str:
    """In one line; empty where it says nothing."""
    try:
        said: Any = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = None
    return printable(str(said)[:200]) if said else ""


def _seconds(headers: Mapping[str, str]) -> float:
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return BUSY_SECONDS
    return min(60.0, max(BUSY_SECONDS, seconds)) if isfinite(seconds) else BUSY_SECONDS
