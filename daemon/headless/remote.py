"""Headless questions answered by the user's daemon, in the words of `Headless`.

Only a daemon that has the very model is asked. None is running: one is started, as an editor's
front starts it, if it would load that model.
"""

import asyncio
import contextlib
import os
import time
from typing import TextIO

from ...api.report import Completion, CompletionMeta, Finish
from ...api.request import CompletionRequest, Trigger
from ...api.uris import HEADLESS_SCHEME, KEPT_SCHEME
from ...cache.errors import KeyturnError
from ...lsp.backend import BackendError, BackendState, OpenDocument, Phase, Superseded
from .. import protocol
from ..client import startup
from ..client.link import Link, LinkLost, RequestFailed
from ..config import LOOKUP
from ..paths import DaemonPaths
from ..protocol import ProtocolError, Why
from .answer import Answer
from .question import FOREVER_MS, Question, decode_limit
from .remote_progress import RemoteProgress
from .streamed import Streamed
from .time_limit import TimeUp

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
        self._link: Link | None = None
        self._version = 0  # of the documents opened, all of them
        self._ready = False  # the model is there
        self._ready_at = 0.0  # when the model was there last, by time.monotonic()

    def __enter__(self) -> "RemoteHeadless":
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.close()
        self._disconnect()
        with contextlib.suppress(RuntimeError):  # an interrupt meets it too
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
            link = await self._connect()
            try:
                return await self._ask(link, question, streamed, until)
            except (LinkLost, Superseded):
                self._disconnect()
            except BackendError as error:
                raise DaemonFailed(f"{error}, or take --no-daemon") from error
        raise DaemonFailed("the daemon was lost; try again")

    # region The link
    async def _connect(self) -> Link:
        """Raises `NotAsked`, `DaemonFailed`."""
        if self._link is not None:
            return self._link
        reach = startup.connect_or_start if self._may_start else startup.connect
        try:
            link = await reach(self._paths, self._hello)
            if link is None:
                raise self._not_asked("no daemon runs")
            self._link = link.listening(self._told)
            state = await self._state_of(self._link)
        except (BackendError, TimeoutError) as error:
            self._disconnect()
            why = str(error) or "the daemon does not say what it loads"
            raise self._not_asked(why, said=True) from error
        same_words = link.welcome.protocol == self._hello.protocol
        if not same_words or state.phase is Phase.FAILED or state.model != self._model:
            self._disconnect()
            raise self._not_asked(f"the running daemon has {state.model or 'no model'}")
        return link

    def _not_asked(self, why: str, said: bool = False) -> KeyturnError:
        """For a model that this process has too, it answers instead; `said` to the user."""
        if self._model == LOOKUP:
            return DaemonFailed(
                f"{LOOKUP!r} answers in a daemon only, and {why}: set model.name to it in"
                " config.toml, or stop a daemon that has another with `keyturn daemon stop`"
            )
        return NotAsked(why if said else "")

    async def _state_of(self, link: Link) -> BackendState:
        """What the daemon says of itself, once it has a model, the wanted one if it may be about
        to. Raises `LinkLost`, `TimeoutError`."""
        async with asyncio.timeout(STATE_SECONDS):
            await link.told(lambda state: state.phase is Phase.FAILED or bool(state.model))
        if self._in_settings and link.state.phase is not Phase.FAILED:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWITCH_SECONDS):
                    await link.told(lambda state: state.model == self._model)
        return link.state

    def _told(self, state: BackendState) -> None:
        self._progress.show(state)
        ready, self._ready = self._ready, state.phase is Phase.READY
        if self._ready and not ready:
            self._ready_at = time.monotonic()

    def _disconnect(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None

    # endregion

    async def _ask(
        self, link: Link, question: Question, streamed: Streamed, until: float | None
    ) -> Answer:
        """Raises `LinkLost`, `Superseded` by one that has gone; `NotAnswered`, `DaemonFailed`."""
        self._version += 1
        uri = self._uri(question.filename)
        text = question.around.prefix + question.around.suffix
        request = self._request(uri, question, until)
        try:
            link.send(protocol.Open(OpenDocument(uri, "", self._version, text)))
        except ProtocolError as error:  # a text that no frame can carry
            raise NotThisOne(str(error)) from error
        streamed.begin()
        asked = time.monotonic()
        try:
            completions: list[Completion] = await link.ask(
                lambda number: protocol.Complete(number, request, stream=streamed.wanted),
                streamed.add if streamed.wanted else None,
                patient=False,
            )
        except RequestFailed as error:
            if error.why is Why.DEADLINE:
                raise TimeoutError from error
            raise NotAnswered(str(error)) from error
        finally:
            link.send(protocol.Close(uri))
        out_of_time = bool(completions) and completions[0].meta.finish is Finish.DEADLINE
        if until is not None and out_of_time:
            raise _time_up(question)
        load_ms = max(0.0, self._ready_at - asked) * 1e3
        meta = completions[0].meta if completions else CompletionMeta()
        found = [each for each in completions if each.text]
        confidences = tuple(each.confidence for each in found)
        answer = Answer(tuple(each.text for each in found), meta, load_ms, confidences)
        streamed.end(answer.text)
        return answer

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
        decode_ms = decode_limit(self._decode_ms, not self._ready) if until is None else None
        options = question.wishes.options(max(1, left_ms), decode_ms)
        offset = len(question.around.prefix)
        return CompletionRequest(uri, self._version, offset, Trigger.INVOKED, options)


def _time_up(question: Question) -> TimeUp:
    seconds = question.wishes.timeout
    return TimeUp(f"no completion within {'its deadline' if seconds is None else f'{seconds:g} s'}")
