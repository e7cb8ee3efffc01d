"""Headless questions answered by the user's daemon, in the words of `Headless`.

Only a daemon that has the very model is asked. None is running: one is started, as an editor's
front starts it, if it would load that model.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from typing import TextIO

from ...api.report import Completion, CompletionMeta, Finish
from ...api.request import CompletionRequest, Trigger
from ...cache.errors import KeyturnError
from ...lsp.backend import BackendError, BackendState, OpenDocument, Phase, StatusQuery
from .. import protocol
from ..client import startup
from ..config import LOOKUP
from ..paths import DaemonPaths
from ..protocol import ProtocolError, Why
from ..uris import HEADLESS_SCHEME, KEPT_SCHEME
from .answer import Answer
from .question import FOREVER_MS, Question, decode_limit
from .remote_progress import RemoteProgress
from .streamed import Streamed
from .time_limit import TimeUp

SILENCE_SECONDS = 10.0  # before the daemon is asked whether it is there, and then before it is not
STATE_SECONDS = 10.0  # until a daemon that has just been started says what it loads
SWITCH_SECONDS = 2.0  # until one notices that its settings name another model


class DaemonFailed(KeyturnError):
    """The daemon could not answer."""


class NotAnswered(DaemonFailed):
    """It could not answer this question."""


class NotAsked(KeyturnError):
    """No daemon was asked; `str(error)` is why, or empty where that is as it should be."""


class NotThisOne(NotAsked):
    """The daemon cannot be asked this question; it can be asked others."""


class _Lost(Exception):
    """The daemon has gone, or is going, without an answer."""


class RemoteHeadless:
    """Asks the daemon for one command, over one link. Use as a context manager."""

    def __init__(
        self,
        paths: DaemonPaths,
        version: str,
        model: str,
        may_start: bool,
        in_settings: bool = False,
        progress: TextIO | None = None,
        decode_ms: int | None = None,
        fresh: bool = False,
    ) -> None:
        """`may_start`: a daemon that we start loads `model`; `in_settings`: one that runs does so
        soon at the latest. `progress` and `decode_ms` as of `Headless`. `fresh`: nothing of an
        earlier question is used, and nothing kept."""
        self._paths = paths
        self._hello = protocol.Hello(protocol.PROTOCOL, version, "complete", os.getpid())
        self._model = model
        self._may_start = may_start
        self._in_settings = in_settings
        self._progress = RemoteProgress(progress)
        self._decode_ms = decode_ms
        self._fresh = fresh
        self._runner = asyncio.Runner()
        self._link: startup.Link | None = None
        self._state = BackendState(Phase.STARTING)
        self._number = 0

    def __enter__(self) -> "RemoteHeadless":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()
        if self._link is not None:
            self._link.writer.close()
        self._runner.close()

    def answer(
        self,
        question: Question,
        streamed: Streamed,
        started: float | None = None,
    ) -> Answer:
        """Raises `TimeUp` when the question's time has passed (counted from `started`),
        `DaemonFailed`, `OtherText`, and `NotAsked`, perhaps with pieces passed on already; of
        these, `NotThisOne` if others can be asked."""
        return self._runner.run(self._in_time(question, streamed, started))

    async def _in_time(
        self, question: Question, streamed: Streamed, started: float | None
    ) -> Answer:
        started, seconds = started or time.monotonic(), question.wishes.timeout
        until = None if seconds is None else started + seconds
        left = None if until is None else until - time.monotonic()
        try:
            async with asyncio.timeout(left):
                return await self._answer(question, streamed, until)
        except TimeoutError:
            raise _time_up(question) from None

    async def _answer(self, question: Question, streamed: Streamed, until: float | None) -> Answer:
        for _ in range(2):  # one that is lost is replaced, once
            await self._connect()
            with contextlib.suppress(_Lost):
                return await self._ask(question, streamed, until)
            self._disconnect()
        raise DaemonFailed("the daemon was lost; try again")

    # region The link
    async def _connect(self) -> None:
        """Raises `NotAsked`, `DaemonFailed`."""
        if self._link is not None:
            return
        reach = startup.connect_or_start if self._may_start else startup.connect
        try:
            self._link = await reach(self._paths, self._hello)
            if self._link is None:
                raise NotAsked
            async with asyncio.timeout(STATE_SECONDS):
                await self._read_until(lambda state: bool(state.model))
            if self._in_settings:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(SWITCH_SECONDS):
                        await self._read_until(lambda state: state.model == self._model)
        except (BackendError, TimeoutError, ProtocolError, _Lost) as error:
            self._disconnect()
            raise NotAsked(str(error) or "the daemon does not say what it loads") from error
        same_words = self._link.welcome.protocol == self._hello.protocol
        failed = self._state.phase is Phase.FAILED
        if not same_words or failed or self._state.model != self._model:
            other = self._state.model
            self._disconnect()
            if same_words and self._model == LOOKUP:
                raise DaemonFailed(
                    f"the running daemon has {other}, and {LOOKUP!r} answers in a daemon only: set"
                    " model.name to it in config.toml, or stop that one with `keyturn daemon stop`"
                )
            raise NotAsked

    async def _read_until(self, told: Callable[[BackendState], bool]) -> None:
        """Until the daemon has told this of itself, or that it failed."""
        while not told(self._state) and self._state.phase is not Phase.FAILED:
            await self._read()

    def _disconnect(self) -> None:
        if self._link is not None:
            self._link.writer.close()
        self._link, self._state = None, BackendState(Phase.STARTING)

    async def _read(self) -> protocol.FromDaemon:
        """The next message. Raises `_Lost`, or `DaemonFailed` if none comes."""
        assert self._link is not None, "reads while connected"
        try:
            message = await _heard(self._link)
        except OSError as error:
            raise _Lost from error
        if message is None or isinstance(message, protocol.Refused):
            raise _Lost
        if isinstance(message, protocol.State):
            self._state = message.state
            self._progress.show(message.state)
        return message

    # endregion

    async def _ask(self, question: Question, streamed: Streamed, until: float | None) -> Answer:
        """Raises `_Lost`."""
        assert self._link is not None, "asks while connected"
        self._number += 1
        number, uri = self._number, self._uri(question.filename)
        text = question.around.prefix + question.around.suffix
        request = self._request(uri, question, until)
        try:
            self._link.send(protocol.Open(OpenDocument(uri, "", number, text)))
        except ProtocolError as error:  # a text that no frame can carry
            raise NotThisOne(str(error)) from error
        try:
            self._link.send(protocol.Complete(number, request, stream=streamed.wanted))
            completions, load_ms = await self._answered(number, streamed)
        finally:
            self._link.send(protocol.Close(uri))
        out_of_time = bool(completions) and completions[0].meta.finish is Finish.DEADLINE
        if until is not None and out_of_time:
            raise _time_up(question)
        meta = completions[0].meta if completions else CompletionMeta()
        answer = Answer(tuple(each.text for each in completions if each.text), meta, load_ms)
        streamed.end(answer.text)
        return answer

    async def _answered(
        self, number: int, streamed: Streamed
    ) -> tuple[tuple[Completion, ...], float]:
        """The answer to a request, and the milliseconds that it waited for the model. Raises
        `_Lost`, `NotAnswered`, `DaemonFailed`, `TimeoutError`."""
        streamed.begin()
        asked, load_ms = time.monotonic(), 0.0
        loading = self._state.phase is not Phase.READY
        while True:
            match await self._read():
                case protocol.State(state) if loading and state.phase is Phase.READY:
                    loading, load_ms = False, (time.monotonic() - asked) * 1e3
                case protocol.Piece(each, piece) if each == number:
                    streamed.add(piece)
                case protocol.Completed(each, completions) if each == number:
                    return completions, load_ms
                case protocol.Failed(each, why, said) if each == number:
                    if why in (Why.CANCELLED, Why.SUPERSEDED):
                        raise _Lost
                    raise TimeoutError if why is Why.DEADLINE else NotAnswered(said)
                case _:
                    continue

    def _uri(self, filename: str) -> str:
        """Under which the daemon knows the text. Half a character is written out: no frame carries
        one."""
        if not filename or self._fresh:
            uri = HEADLESS_SCHEME + filename
        else:
            try:
                uri = KEPT_SCHEME + os.path.abspath(filename)
            except FileNotFoundError:  # the directory that it is relative to was deleted
                uri = HEADLESS_SCHEME + filename
        return uri.encode(errors="backslashreplace").decode()

    def _request(self, uri: str, question: Question, until: float | None) -> CompletionRequest:
        left_ms = FOREVER_MS if until is None else int((until - time.monotonic()) * 1e3)
        waits = self._state.phase is not Phase.READY
        decode_ms = decode_limit(self._decode_ms, waits) if until is None else None
        options = question.wishes.options(max(1, left_ms), decode_ms)
        offset = len(question.around.prefix)
        return CompletionRequest(uri, self._number, offset, Trigger.INVOKED, options)


async def _heard(link: startup.Link) -> protocol.FromDaemon | None:
    """The next message. A daemon that is silent for long is asked for its status, which it tells
    whatever the engine does. Raises `DaemonFailed` if it stays silent."""
    reading = asyncio.ensure_future(protocol.read(link.reader, protocol.FromDaemon))
    try:
        for asked in (False, True):
            done, _ = await asyncio.wait({reading}, timeout=SILENCE_SECONDS)
            if done:
                return reading.result()
            if not asked:
                link.send(protocol.Command(0, StatusQuery()))
    finally:
        reading.cancel()
    raise DaemonFailed(
        f"the daemon has said nothing for {2 * SILENCE_SECONDS:g} s, as if it were stopped: see"
        " `keyturn daemon status`, or take --no-daemon"
    )


def _time_up(question: Question) -> TimeUp:
    return TimeUp(f"no completion within {question.wishes.timeout:g} s")
