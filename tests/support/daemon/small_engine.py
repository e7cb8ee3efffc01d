"""A real engine small enough to reason about, for tests of what surrounds it.

It suggests `<version>:<offset>:<checksum of the text>`, so that an answer proves what it was
computed from. In a text that contains `SLOW` it works in small steps until it is cancelled or past
its deadline, as decoding does; with `STUCK` until it is released, whatever comes; with `BREAK` it
raises.
"""

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from keyturn.api.chunk import Chunk
from keyturn.api.report import Completion, CompletionMeta
from keyturn.api.request import CompletionRequest
from keyturn.daemon.file_text import Edited
from keyturn.daemon.next_edit.model import NextEditModel
from keyturn.daemon.server.engine import File, OpenFiles
from keyturn.daemon.server.jobs import Complete, FileKey
from keyturn.lsp.backend import BackendState, ProjectRules
from keyturn.models.errors import ModelError

STEP_SECONDS = 0.002


def job_for(request: CompletionRequest, key: FileKey) -> Complete:
    """One that nobody waits for, with a minute's time."""
    return Complete(key, request, time.monotonic() + 60, lambda outcome: None)


def suggestion(version: int, offset: int, text: str) -> str:
    return f"{version}:{offset}:{zlib.crc32(text.encode())}"


class TinyEngine:
    next_edit_model: NextEditModel | None = None

    def __init__(self, name: str = "tiny", open_files: OpenFiles = tuple) -> None:
        self.name = name
        self._open_files = open_files
        self.stopped = threading.Event()  # a slow completion has really ended
        self.begun = threading.Event()
        self.completed: list[str] = []
        self.forgotten: list[FileKey] = []
        self.refreshed: list[FileKey | None] = []  # None: the model itself
        self.prepared: list[FileKey] = []
        self.allowed: dict[FileKey, ProjectRules] = {}  # of all open files, when one was prepared
        self.shown: list[tuple[Chunk, ...]] = []  # of files that something was asked about
        self.closed = False
        self.release = threading.Event()

    def complete(self, file: File, job: Complete) -> list[Completion]:
        request = job.request
        if "BREAK" in file.text.raw:
            raise RuntimeError("broken on purpose")
        self.completed.append(request.uri)
        self.shown.append(file.chunks)
        if "SLOW" in file.text.raw:
            self.stopped.clear()
            self.begun.set()
            while not job.cancelled.is_set() and time.monotonic() < job.deadline:
                time.sleep(STEP_SECONDS)
            self.stopped.set()
        if "STUCK" in file.text.raw:
            self.begun.set()
            self.release.wait()
        text = suggestion(file.version, request.offset, file.text.raw)
        return [Completion(text, request.offset, request.offset, CompletionMeta(self.name))]

    def edit(self, before: File, edits: Sequence[Edited]) -> None:
        """It answers from the text as it is."""

    def refresh(self, key: FileKey | None, interrupted: Callable[[], bool]) -> None:
        self.refreshed.append(key)

    def prepare(self, key: FileKey, interrupted: Callable[[], bool]) -> bool:
        self.prepared.append(key)
        self.allowed = {file.key: file.project for file in self._open_files()}
        return False

    def forget(self, key: FileKey) -> None:
        self.forgotten.append(key)

    def status(self) -> dict[str, Any]:
        return {"device": "none"}

    def close(self) -> None:
        self.closed = True
        self.release.set()


class TinyMaker:
    """Makes tiny engines, remembers them, and can be told to fail."""

    def __init__(self) -> None:
        self.made: list[TinyEngine] = []
        self.attempts = 0
        self.error: Exception | None = None
        self.unknown: set[str] = set()  # names that there is no model of
        self.gate = threading.Event()  # closed: loading takes until it is opened
        self.gate.set()

    def __call__(
        self, name: str, report: Callable[[BackendState], None], open_files: OpenFiles
    ) -> TinyEngine:
        self.gate.wait()
        self.attempts += 1
        if self.error is not None:
            raise self.error
        if name in self.unknown:
            raise ModelError(f"unknown model {name!r}")
        self.made.append(TinyEngine(name or "tiny", open_files))
        return self.made[-1]
