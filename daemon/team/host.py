"""One replica's engine and its files: what a daemon is to its editors, without their sockets.

Plain asyncio, no ray. A file that is not known as its client thinks it is, is asked for again: that
is how files move to another replica, and how nothing is lost when one dies.
"""

import asyncio
import itertools
import logging
import time
from dataclasses import dataclass, replace
from typing import Any

from ...api.chunk import Chunk
from ...api.report import Completion
from ...api.request import CompletionOptions
from ...cache.errors import KeyturnError
from ...lsp.backend import BackendState, Phase, ProjectRules, TextEdit
from ..remote.messages import (
    MOST_CHUNK_CHARACTERS,
    MOST_CHUNKS,
    Ask,
    BadMessage,
    Changed,
    FileState,
    Surroundings,
    Whole,
    chunks_digest,
    digest_of,
)
from ..server import jobs
from ..server.engine import MakeEngine
from ..server.engine_thread import EngineThread
from ..server.jobs import FileKey, Reply

logger = logging.getLogger(__name__)

MOST_COPIED = 100_000_000  # characters that edits may copy; a text sent whole costs less
MOST_DEADLINE_MS, MOST_DECODE_MS = 15_000, 4_000  # of one question, whatever it says
MOST_TOKENS, MOST_CANDIDATES = 1_024, 8
GRACE_SECONDS = 0.25  # the engine ends by itself at the deadline, with what it has


class NotLoaded(KeyturnError):
    """The replica has no model."""


class UnknownFile(KeyturnError):
    """The file is not known as its client says it was: it is wanted whole."""


class Overtaken(KeyturnError):
    """Something newer is known of the file, or was asked in it."""


class Overdue(KeyturnError):
    """No answer within the deadline."""


class EngineFailed(KeyturnError):
    """The engine could not answer; `str(error)` says why."""


@dataclass(frozen=True, slots=True)
class Held:
    """A file as the replica has it."""

    revision: int
    text: str
    digest: str


class Host:
    """Owns the engine thread. Used from one event loop."""

    def __init__(self, make_engine: MakeEngine) -> None:
        self.state = BackendState(Phase.LOADING, "starting")
        self._loop = asyncio.get_running_loop()
        self._settled = asyncio.Event()  # the model is there, or cannot be had
        self._numbers = itertools.count(1)
        self._users: dict[str, int] = {}  # for the scheduler's turns
        self.engine = EngineThread(make_engine, self._report)
        self.engine.start()

    async def ready(self) -> None:
        """Returns once the model is loaded. Raises `NotLoaded` with the reason if it cannot be."""
        await self._settled.wait()
        self.check()

    def check(self) -> None:
        """Raises `NotLoaded` if there is no model."""
        if self.state.phase is not Phase.READY or not self.engine.is_alive():
            raise NotLoaded(self.state.message or f"the engine is {self.state.phase.value}")

    def file(self, user: str) -> "HostedFile":
        """A file of `user`'s that nothing is known of yet. Users take turns."""
        turn = self._users.setdefault(user, len(self._users) + 1)
        return HostedFile(self.engine, FileKey(next(self._numbers), "", turn))

    def close(self) -> None:
        """End the engine thread after what it is doing."""
        self.engine.put(jobs.Stop())

    def _report(self, state: BackendState) -> None:
        """From the engine thread."""
        self._loop.call_soon_threadsafe(self._set_state, state)

    def _set_state(self, state: BackendState) -> None:
        self.state = state
        if state.phase in (Phase.READY, Phase.FAILED):
            self._settled.set()


class HostedFile:
    """One file of one user: its text here, its session in the engine."""

    def __init__(self, engine: EngineThread, key: FileKey) -> None:
        self._engine = engine
        self._key = key
        self._held: Held | None = None
        self.chunks = ""  # the digest of what it is shown of its project
        self.used = time.monotonic()

    def follow(self, state: FileState) -> None:
        """Have the file as the client has it. Raises `UnknownFile`, `Overtaken`."""
        self.used = time.monotonic()
        if not state.chunks:
            self._show(())
        held = self._held
        if held is not None and (held.revision, held.digest) == (state.revision, state.digest):
            return  # it was said before, or came with a request that overtook it
        match state.change:
            case Whole(text):
                self._open(state, text)
            case Changed(base, steps):
                if held is None or held.revision < base:
                    raise UnknownFile("the file is not known: send it whole")
                if held.revision > state.revision:
                    raise Overtaken(f"revision {held.revision} of the file is known already")
                new = [step for step in steps if step.revision > held.revision]
                self._edit(state, held, [edit for step in new for edit in step.edits])

    def surround(self, surroundings: Surroundings) -> None:
        """Show the file these chunks, once there is time. Raises `UnknownFile`, `BadMessage`."""
        self.used = time.monotonic()
        chunks = surroundings.chunks
        if len(chunks) > MOST_CHUNKS or sum(len(c.text) for c in chunks) > MOST_CHUNK_CHARACTERS:
            raise BadMessage(
                f"more than {MOST_CHUNKS} chunks or {MOST_CHUNK_CHARACTERS:,} characters of them"
            )
        if self._held is None:
            raise UnknownFile("the file is not known: send it first")
        self._show(chunks)

    async def complete(self, ask: Ask) -> tuple[Completion, ...]:
        """The file is followed, then completed. Who is cancelled here cancels the work.

        Raises what `follow` does, `Overdue` and `EngineFailed`.
        """
        self.follow(ask.state)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        options = _within(ask.request.options)
        seconds = options.deadline_ms / 1e3
        request = replace(
            ask.request, uri=self._key.uri, version=ask.state.revision, options=options
        )

        def reply(outcome: Reply) -> None:
            loop.call_soon_threadsafe(_settle, answer, outcome)

        job = jobs.Complete(self._key, request, time.monotonic() + seconds, reply)
        self._engine.put(job)
        try:
            async with asyncio.timeout(seconds + GRACE_SECONDS):
                return _completions(await answer)
        except TimeoutError:
            raise Overdue("no answer within the deadline") from None
        finally:
            self._engine.withdraw(job)

    def __del__(self) -> None:
        """Serve calls it when another file takes this one's place."""
        self.close()

    def close(self) -> None:
        """Forget the file. It can be opened again."""
        self.chunks = ""
        if self._held is not None:
            self._held = None
            self._engine.put(jobs.Close(self._key))

    def _show(self, chunks: tuple[Chunk, ...]) -> None:
        digest = chunks_digest(chunks)
        if digest != self.chunks:
            self.chunks = digest
            self._engine.put(jobs.Surround(self._key, chunks))

    def _open(self, state: FileState, text: str) -> None:
        digest = digest_of(text)
        if digest != state.digest:
            raise UnknownFile("the digest is not the text's")
        uri = f"/{state.name}"  # a path: no scheme of ours
        if uri != self._key.uri:
            self.close()
            self._key = replace(self._key, uri=uri)
        self._held = Held(state.revision, text, digest)
        rules = ProjectRules(is_read=False)  # its project is on the client's machine
        self._engine.put(jobs.Open(self._key, state.language, state.revision, text, rules))

    def _edit(self, state: FileState, held: Held, edits: list[TextEdit]) -> None:
        text = held.text
        if len(edits) * len(text) > MOST_COPIED:
            raise UnknownFile("so many edits of so long a file: send it whole")
        for edit in edits:
            if not edit.start <= edit.end <= len(text):
                raise UnknownFile("an edit lies outside of the file: send it whole")
            text = edit.apply(text)
        digest = digest_of(text)
        if digest != state.digest:
            raise UnknownFile("the file has become another: send it whole")
        self._held = Held(state.revision, text, digest)
        self._engine.put(jobs.Edit(self._key, state.revision, tuple(edits)))


def _within(options: CompletionOptions) -> CompletionOptions:
    """As far as one may ask while others wait."""
    return replace(
        options,
        max_tokens=min(options.max_tokens, MOST_TOKENS),
        candidates=min(options.candidates, MOST_CANDIDATES),
        deadline_ms=min(options.deadline_ms, MOST_DEADLINE_MS),
        decode_ms=min(options.decode_ms or MOST_DECODE_MS, MOST_DECODE_MS),
    )


def _completions(reply: Reply) -> tuple[Completion, ...]:
    if reply.completions is not None:
        return reply.completions
    if reply.cancelled:
        raise Overtaken("something newer took its place")
    if reply.unknown:
        raise UnknownFile("the place is outside of the file: send it whole")
    raise EngineFailed(reply.error or "no reason given")


def _settle(future: "asyncio.Future[Any]", value: Any) -> None:
    if not future.done():
        future.set_result(value)
