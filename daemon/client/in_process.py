"""The engine thread as a `Backend` of its own: `keyturn lsp --in-process` and headless use."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ...api.report import Completion
from ...api.request import CompletionRequest
from ...lsp.backend import (
    BackendError,
    BackendState,
    Control,
    Feedback,
    NextEditQuery,
    OpenDocument,
    Phase,
    Refresh,
    StatusQuery,
    Superseded,
    TextEdit,
    UseModel,
)
from ..config import Config
from ..server import jobs
from ..server.calibration import Calibration
from ..server.engine import MakeEngine
from ..server.engine_thread import EngineThread
from ..server.jobs import FileKey, Reply
from ..server.measures.metrics import Metrics
from ..server.reloading import model_watcher

STOP_SECONDS = 10.0


class LocalBackend:
    """One process, one engine thread, no socket."""

    def __init__(self, make_engine: MakeEngine, reread: Callable[[], Config] | None = None) -> None:
        """With `reread`, which gives the configuration as it is on disk now, the model is loaded
        again when its settings or its files change."""
        self._reread = reread
        self._engine = EngineThread(make_engine, self._report)
        self._metrics = Metrics()
        self._calibration = Calibration()  # of this session only: many processes share no file
        self._loop = asyncio.get_running_loop()
        self._on_state: Callable[[BackendState], None] = lambda state: None
        self._state = BackendState(Phase.STARTING)
        self._answers: dict[jobs.Complete, asyncio.Future[Reply]] = {}

    async def run(
        self,
        documents: Callable[[], list[OpenDocument]],
        on_state: Callable[[BackendState], None],
    ) -> None:
        """Run the engine until cancelled."""
        self._on_state = on_state
        self._engine.start()
        watcher = self._reread and model_watcher(
            self._reread, lambda: self._engine.put(jobs.Load(""))
        )
        if watcher:
            watcher.start()
        try:
            await asyncio.Event().wait()
        finally:
            if watcher:
                watcher.stop()
            self._engine.put(jobs.Stop())
            await asyncio.to_thread(self._engine.join, STOP_SECONDS)

    def open(self, document: OpenDocument) -> None:
        self._engine.put(jobs.Open.of(0, document))

    def edit(self, uri: str, version: int, edits: tuple[TextEdit, ...]) -> None:
        self._engine.put(jobs.Edit(FileKey(0, uri), version, edits))

    def close(self, uri: str) -> None:
        self._engine.put(jobs.Close(FileKey(0, uri)))

    async def complete(self, request: CompletionRequest) -> list[Completion]:
        answer: asyncio.Future[Reply] = self._loop.create_future()
        seconds, started = request.options.deadline_ms / 1e3, time.monotonic()

        def reply(outcome: Reply) -> None:
            self._loop.call_soon_threadsafe(self._settle, job, outcome)

        deadline = started + seconds
        job = jobs.Complete(FileKey(0, request.uri), request, deadline, reply)
        self._answers[job] = answer
        try:
            self._engine.put(job)
            async with asyncio.timeout(seconds + 1.0):
                outcome = await answer
        except TimeoutError:
            raise BackendError("no answer within the deadline") from None
        finally:
            self._engine.withdraw(job)
            self._answers.pop(job, None)
        if outcome.completions is not None:
            took_ms = (time.monotonic() - started) * 1e3
            self._metrics.completed(outcome.completions, request.trigger, took_ms)
            return list(self._calibration.judged(outcome.completions))
        if outcome.error is not None:
            raise BackendError(outcome.error)
        raise Superseded("something newer took its place")

    async def control(self, command: Control) -> dict[str, Any]:
        match command:
            case Feedback():
                self._metrics.feedback(command)
                self._calibration.saw(command)
            case Refresh(uri):
                self._engine.put(jobs.Refresh(FileKey(0, uri) if uri else None))
            case UseModel(name):
                self._engine.put(jobs.Load(name))
            case NextEditQuery(uri):
                return await self._asked(lambda r: jobs.NextEdit(FileKey(0, uri), command, r))
            case StatusQuery():
                return {
                    **self._metrics.summary(),
                    "calibration": self._calibration.summary(),
                    "phase": self._state.phase.value,
                    "message": self._state.message,
                    "model": self._state.model,
                    "engine": await self._asked(jobs.Inspect),
                }
        return {}

    async def _asked(self, job: Callable[[Callable[[dict[str, Any]], None]], jobs.Job]) -> Any:
        """What the engine thread replies to a job."""
        found: asyncio.Future[dict[str, Any]] = self._loop.create_future()

        def settle(data: dict[str, Any]) -> None:
            if not found.done():
                found.set_result(data)

        def reply(data: dict[str, Any]) -> None:
            self._loop.call_soon_threadsafe(settle, data)

        self._engine.put(job(reply))
        return await found

    def _settle(self, job: jobs.Complete, outcome: Reply) -> None:
        answer = self._answers.get(job)
        if answer is not None and not answer.done():
            answer.set_result(outcome)

    def _report(self, state: BackendState) -> None:
        try:
            self._loop.call_soon_threadsafe(self._set_state, state)
        except RuntimeError:
            return  # the loop has ended; nobody is left to tell

    def _set_state(self, state: BackendState) -> None:
        if state.phase is Phase.LOADING:
            self._metrics.begin_anew()
        self._state = state
        self._on_state(state)
