"""What a daemon and a team's server say to each other: frozen messages in msgpack, over HTTP.

    POST /v1/edit      a `FileState`: the file as it is now, so that its cache is ready
    POST /v1/project   `Surroundings`: what the file is to be shown of its project
    POST /v1/complete  an `Ask`: the file as it is now, and a request; answered with `Answered`
    POST /v1/close     nothing: the file is closed, and forgotten
    GET  /v1/about     answered with `About`, in JSON
    GET  /healthz      200 if the server can answer

`FILE_HEADER` names the file in every POST: what is said of one file goes to one replica. A request
may be repeated: it says which text it is about, not only what has changed. Answers other than 200
are `{"error": "..."}` in JSON; `CHUNKS_HEADER` says what the file is shown of its project, as far
as it is known where the answer is from. 409 means that the file is not known as it was, and is
wanted whole.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgpack

from ...api.bounds import Count
from ...api.chunk import Chunk
from ...api.report import Completion
from ...api.request import CompletionRequest
from ...cache.errors import KeyturnError
from ...lsp.backend import TextEdit
from .. import codec, protocol

WIRE = 2  # changes whenever a message does
FILE_HEADER = "x-keyturn-file"
CHUNKS_HEADER = "x-keyturn-chunks"  # of an answer: `chunks_digest` of those that the file has
REPLICA_HEADER = "x-keyturn-replica"  # of an answer: which replica gave it
CONTENT_TYPE = "application/msgpack"
MOST_BODY_BYTES = 16 * 2**20  # compressed or not
COMPRESSED_BYTES = 2_048  # bodies at least as long are compressed
MOST_CHUNKS, MOST_CHUNK_CHARACTERS = 64, 100_000  # of one file
KEY_CHARACTERS = 32  # of a file's key: hexadecimal digits


class BadMessage(KeyturnError):
    """The other side sent what cannot be read."""


@dataclass(frozen=True, slots=True)
class Step:
    """What made a file of revision `revision - 1` that of `revision`."""

    revision: Count
    edits: tuple[TextEdit, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """The text, for who does not know any of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Changed:
    """What was done to a file since `base`, for who has that or any revision after it."""

    base: Count
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as its client has it. `name` is its last name, which says its language; in which
    folder it is stays where it is. Revisions count edits: a file begins with any, and every edit
    adds one."""

    name: str
    language: str
    revision: Count
    digest: str  # `digest_of` the text
    change: Whole | Changed
    chunks: str = ""  # `chunks_digest` of what it is to be shown of its project; empty: nothing


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a file is to be shown of its project, the most relevant first, as soon as there is time
    for that."""

    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """Completions in a file; `request.version` and its URI are nobody's."""

    state: FileState
    request: CompletionRequest


@dataclass(frozen=True, slots=True)
class Answered:
    """Best first."""

    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True)
class About:
    """Who answers."""

    wire: Count
    version: str
    model: str


def digest_of(text: str) -> str:
    """Tells whether two sides have the same text."""
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def chunks_digest(chunks: Iterable[Chunk]) -> str:
    """Tells whether two sides have the same chunks; empty for none."""
    parts = [part for c in chunks for part in (c.path, str(c.line), c.name, c.text)]
    return key_of(*parts) if parts else ""


def key_of(*parts: str) -> str:
    """A file's key, from what tells it from others: it says nothing of them."""
    joined = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=KEY_CHARACTERS // 2).hexdigest()


def pack(message: FileState | Surroundings | Ask | Answered) -> tuple[bytes, dict[str, str]]:
    """A body and its headers. Raises `BadMessage` for what no body can carry."""
    try:
        body: bytes = msgpack.packb(codec.plain(message)) or b""
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise BadMessage(f"a {type(message).__name__} cannot be sent: {error}") from error
    if len(body) > MOST_BODY_BYTES:
        raise BadMessage(f"a message of {len(body):,} bytes is over the limit")
    headers = {"content-type": CONTENT_TYPE}
    if len(body) >= COMPRESSED_BYTES:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["content-encoding"] = "gzip"
    return body, headers


def unpack(body: bytes, encoding: str | None, kind: Any) -> Any:
    """A body as a message of `kind`; `encoding` is its Content-Encoding. Raises `BadMessage`."""
    if encoding not in (None, "", "identity", "gzip"):
        raise BadMessage(f"the encoding {encoding!r:.40} is not known")
    try:
        return protocol.unpack(_inflated(body) if encoding == "gzip" else body, kind)
    except (protocol.ProtocolError, zlib.error) as error:
        raise BadMessage(str(error)) from error


def _inflated(body: bytes) -> bytes:
    """Raises `BadMessage` for what would be over the limit, before it is."""
    inflating = zlib.decompressobj(wbits=31)
    data = inflating.decompress(body, MOST_BODY_BYTES + 1)
    if len(data) > MOST_BODY_BYTES:
        raise BadMessage(f"a message of more than {MOST_BODY_BYTES:,} bytes is over the limit")
    if not inflating.eof:
        raise BadMessage("a compressed message ends too early")
    return data
