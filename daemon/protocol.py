"""The protocol between fronts and the daemon: typed frozen messages in msgpack frames.

A frame is four bytes of length, big-endian, and that many bytes of msgpack. Both sides begin with
a greeting; `PROTOCOL` changes whenever a message does.
"""

import asyncio
import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgpack

from ..api.bounds import Number, Version
from ..api.report import Completion
from ..api.request import CompletionRequest
from ..lsp.backend import (
    BackendState,
    Feedback,
    NextEditQuery,
    OpenDocument,
    Refresh,
    StatusQuery,
    TextEdit,
    UseModel,
)
from . import codec

PROTOCOL = 10
MAX_FRAME_BYTES = 64 * 1024 * 1024
MOST_ELEMENTS = 50_000  # of one frame
MOST_IN_ONE = 4_096  # list of it: room for as many is made before they come
MOST_EDITS = 4_000  # in one message; what makes more of them sends several
_LENGTH = struct.Struct(">I")


class ProtocolError(Exception):
    """The other side sent what it must not; the connection is of no more use."""


# region From a front
@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of every connection."""

    protocol: Number
    version: str
    client: str  # what it is, for `daemon status`: lsp, complete, cli
    pid: Number


@dataclass(frozen=True, slots=True)
class Open:
    document: OpenDocument


@dataclass(frozen=True, slots=True)
class Edit:
    uri: str
    version: Version
    edits: tuple[TextEdit, ...]


@dataclass(frozen=True, slots=True)
class Close:
    uri: str


@dataclass(frozen=True, slots=True)
class Complete:
    """With `stream`, the first candidate's text also comes in pieces before the answer."""

    id: Number
    request: CompletionRequest
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """The answer to `id` is no longer wanted; it is answered all the same, as cancelled."""

    id: Number


@dataclass(frozen=True, slots=True)
class Digest:
    """Ask for the SHA-256 of the daemon's text of a document, to compare it with one's own."""

    uri: str


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the configuration and load the model again."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Answer what is outstanding as cancelled, and exit. A newer version says this to hand over,
    so older ones must understand it: it, `Command`, `Hello` and `Welcome` never change."""

    reason: str


@dataclass(frozen=True, slots=True)
class Command:
    id: Number
    command: (
        Feedback | NextEditQuery | Refresh | UseModel | StatusQuery | Digest | Reload | Shutdown
    )


# endregion
# region From the daemon
@dataclass(frozen=True, slots=True)
class Welcome:
    protocol: int
    version: str
    pid: int


@dataclass(frozen=True, slots=True)
class State:
    state: BackendState


@dataclass(frozen=True, slots=True)
class Piece:
    """More of the text that the answer to `id` will begin with."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Completed:
    id: int
    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    id: int
    data: dict[str, Any]


class Why(StrEnum):
    """Why a request was not carried out."""

    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    DEADLINE = "deadline"
    BUSY = "busy"  # too many requests of this client are waiting
    UNKNOWN = "unknown"  # no such document, or not in that version: open it again
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Failed:
    id: int
    why: Why
    message: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The connection is closed after this: a malformed frame, a wrong protocol, a stranger."""

    message: str


# endregion
# region Frames
FromClient = Hello | Open | Edit | Close | Complete | Cancel | Command
FromDaemon = Welcome | State | Piece | Completed | Answered | Failed | Refused


def pack(message: FromClient | FromDaemon) -> bytes:
    """One frame. Raises `ProtocolError` for what no frame can carry: a message over the limit, a
    number over 64 bits, half a character."""
    try:
        body: bytes = msgpack.packb(codec.tagged(message)) or b""
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise ProtocolError(f"a {type(message).__name__} cannot be sent: {error}") from error
    if len(body) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a message of {len(body)} bytes is over the limit")
    return _LENGTH.pack(len(body)) + body


def unpack(body: bytes, kind: Any) -> Any:
    """A frame's body as one of the messages of `kind`. Raises `ProtocolError`."""
    budget = _Budget()
    try:
        data = msgpack.unpackb(
            body,
            list_hook=budget.spend,
            object_hook=budget.spend,
            max_array_len=MOST_IN_ONE,
            max_map_len=MOST_IN_ONE,
            max_ext_len=0,
        )
        return codec.decoder(kind)(data)
    except (ValueError, RecursionError, msgpack.UnpackException) as error:
        why = str(error) or type(error).__name__
        raise ProtocolError(f"malformed message: {why}") from error


class _Budget:
    """What the lists and mappings of one frame may hold together: a byte of it can be one of them,
    which takes a hundred in memory."""

    def __init__(self) -> None:
        self._left = MOST_ELEMENTS

    def spend(self, container: list[Any] | dict[Any, Any]) -> Any:
        self._left -= 1 + len(container)
        if self._left < 0:
            raise ValueError(f"more than {MOST_ELEMENTS:,} elements")
        return container


async def read(reader: asyncio.StreamReader, kind: Any) -> Any:
    """The next message, or None at the end of the stream. Raises `ProtocolError`."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > MAX_FRAME_BYTES:
            raise ProtocolError(f"a frame of {length} bytes is over the limit")
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return unpack(body, kind)


# endregion
