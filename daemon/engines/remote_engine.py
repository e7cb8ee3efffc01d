"""The engine thread's engine on another machine: a team's server, and a local engine for when that
is away or slow.

The texts are here, so nothing is lost with the server, and whichever engine answers sees the same.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import PurePath
from typing import Any
from uuid import uuid4

from ...api.chunk import Chunk
from ...api.report import Completion
from ...api.uris import KEPT_SCHEME, path_of
from ...lsp.backend import BackendState, Phase
from ..context.choice import Choice
from ..context.remote_choice import RemoteChoice
from ..file_text import Edited
from ..next_edit.model import NextEditModel
from ..on_demand import OnDemand
from ..remote.errors import Outdated, ServerAway, ServerError
from ..remote.messages import key_of
from ..remote.server_thread import MakeFiles, ServerThread
from ..server.engine import Engine, File, OpenFiles, Report
from ..server.jobs import Complete, FileKey

LOOK_SECONDS = 0.01  # between looks at whether a request was cancelled
RESERVE_SECONDS, RESERVE_SHARE = 0.5, 0.25  # of a deadline, for the local engine


class RemoteEngine:
    """Asks the server called `name`."""

    next_edit_model: NextEditModel | None = None

    def __init__(
        self,
        name: str,
        make_files: MakeFiles,
        make_local: Callable[[], Engine] | None,
        report: Report,
        open_files: OpenFiles,
        choice: Choice | None = None,
        context_tokens: int = 0,
    ) -> None:
        """`make_files`: the server's, made in the thread that talks to it. `make_local`: the engine
        to fall back on, made when it is needed; None: there is none. `choice`: of what the server
        shows a file of its project, about so many tokens of whose text it sees; None: nothing."""
        self.name = name
        self._fallback = None if make_local is None else OnDemand("fallback", make_local, self._say)
        self._report = report
        self._open_files = open_files
        self._answered = Counter[str]()  # by "server" and "local"
        self._origin = uuid4().hex  # tells this daemon's files from those of another one's
        self._choice = choice
        self._project = (
            None if choice is None else RemoteChoice(choice, context_tokens, self._surround)
        )
        self._server = ServerThread(name, make_files, self._say)
        self._server.start()

    def complete(self, file: File, job: Complete) -> list[Completion]:
        if self._project is not None:
            self._project.asks(file, job.request.offset)
        if self._server.is_available:
            with suppress(ServerError):
                found = self._remotely(file, job)
                if self._project is not None:
                    found = self._project.answered(file, found)
                self._answered["server"] += 1
                return found
        if job.cancelled.is_set():
            return []
        found = self._ready_local(job).complete(file, job)
        self._answered["local"] += 1
        return found

    def edit(self, before: File, edits: Sequence[Edited]) -> None:
        if self._project is not None:
            self._project.stir()
        file = self._open(before.key)
        if file is not None:
            raw = [each.raw for each in edits]
            self._server.edit(self._key(file.key), raw, file.text.raw)
        if self._local is not None:
            self._local.edit(before, edits)

    def refresh(self, key: FileKey | None, interrupted: Callable[[], bool]) -> None:
        """Have the local engine ready while nobody waits for it; give it back when it is not
        needed."""
        if self._fallback is None:
            return
        if self._server.is_available:
            self._fallback.rest()
            return
        if self._server.problem:
            self._fallback.begin()
        if self._local is not None:
            self._local.refresh(key, interrupted)

    def prepare(self, key: FileKey, interrupted: Callable[[], bool]) -> bool:
        """Let the server have the file before anybody asks, and what it should see of its
        project."""
        file = self._open(key)
        if file is not None:
            self._show(file)
        if self._local is not None and not self._server.is_available:
            return self._local.prepare(key, interrupted)
        if file is None or self._project is None:
            return False
        beside = [each for each in self._open_files() if each.key.client == key.client]
        return self._project.follow(file, beside, interrupted)

    def forget(self, key: FileKey) -> None:
        if not key.uri.startswith(KEPT_SCHEME):
            self._server.forget(self._key(key))
        if self._project is not None:
            self._project.forget(key)
        if self._local is not None:
            self._local.forget(key)

    def status(self) -> dict[str, Any]:
        local = {} if self._local is None else self._local.status()
        if self._choice is not None:
            local = {"project": self._choice.status(), **local}
        server = {**self._server.status(), "answered": self._answered["server"]}
        fallback = {
            "model": "" if self._local is None else self._local.name,
            "answered": self._answered["local"],
        }
        return {"device": "server", **local, "server": server, "fallback": fallback}

    def close(self) -> None:
        self._server.stop()
        if self._fallback is not None:
            self._fallback.close()
        if self._choice is not None:
            self._choice.close()

    # region The server
    def _remotely(self, file: File, job: Complete) -> list[Completion]:
        """Raises `ServerError` where there is something better than to wait."""
        self._show(file)
        answer = self._server.ask(self._key(file.key), job.request)
        started = time.monotonic()
        patient_until = job.deadline
        if self._fallback is not None:
            reserve = min(RESERVE_SECONDS, RESERVE_SHARE * (job.deadline - started))
            patient_until = min(started + self._server.patience.seconds, job.deadline - reserve)
        try:
            return list(self._waited(answer, job, patient_until))
        except TimeoutError:
            waited = time.monotonic() - started
            if waited >= self._server.patience.seconds:  # else it was the question that had no time
                self._server.is_slow(waited)
            raise ServerAway("is slow") from None
        finally:
            answer.cancel()

    def _waited(
        self, answer: "Future[tuple[Completion, ...]]", job: Complete, until: float
    ) -> tuple[Completion, ...]:
        while not job.cancelled.is_set():
            left = until - time.monotonic()
            try:
                return answer.result(min(LOOK_SECONDS, max(0.0, left)))
            except TimeoutError:
                if left <= 0:
                    raise
            except Outdated:
                return ()
        return ()

    def _open(self, key: FileKey) -> File | None:
        return next((each for each in self._open_files() if each.key == key), None)

    def _show(self, file: File) -> None:
        name = PurePath(path_of(file.key.uri)).name
        self._server.show(self._key(file.key), name, file.language, file.text.raw)

    def _surround(self, file: File, chunks: tuple[Chunk, ...]) -> None:
        self._server.surround(self._key(file.key), chunks)

    def _key(self, key: FileKey) -> str:
        client = "" if key.uri.startswith(KEPT_SCHEME) else str(key.client)
        return key_of(self._origin, client, key.uri)

    # endregion
    # region The local engine
    @property
    def _local(self) -> Engine | None:
        return None if self._fallback is None else self._fallback.made

    def _ready_local(self, job: Complete) -> Engine:
        """Raises `ServerAway` where there is none in time."""
        why = f"the server {self._server.problem or 'is busy'}"
        if self._fallback is None:
            raise ServerAway(f"{why}; there is no fallback")
        engine = self._fallback.ready(job.deadline, job.cancelled.is_set)
        if engine is None:
            raise ServerAway(f"{why}; the fallback: {self._fallback.problem or 'is being loaded'}")
        return engine

    def _say(self) -> None:
        """Tell every status bar who answers. From any thread."""
        problem, local = self._server.problem, self._local
        if not problem:
            message = ""
        elif local is not None:
            message = f"the server {problem}: {local.name} answers"
        elif self._fallback is not None and self._fallback.problem:
            message = f"the server {problem}; the fallback: {self._fallback.problem}"
        else:
            message = f"the server {problem}"
        self._report(BackendState(Phase.READY, message, self.name))

    # endregion
