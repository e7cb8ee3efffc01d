"""The one thread that owns the engine: the model, its caches and the device are made, used and
freed here and nowhere else.

Jobs come in through `put`, from any thread, and are taken one at a time in the scheduler's order.
The thread also owns its own copy of every open text, changed only by the jobs that arrive, so a
completion sees exactly the edits that were sent before it.
"""

import hashlib
import logging
import threading
import time
from contextlib import suppress
from dataclasses import astuple, replace
from typing import Any

from ...cache.errors import KeyturnError
from ...lsp.backend import BackendState, Phase
from ..file_text import Edited, FileText
from ..next_edit.proposer import Proposer
from .engine import Engine, File, MakeEngine, Report
from .jobs import (
    Close,
    Complete,
    Edit,
    FileKey,
    Free,
    Inspect,
    Job,
    Load,
    NextEdit,
    Open,
    Prepare,
    Refresh,
    Reply,
    Stop,
    Surround,
)
from .next_edit_answer import SUPERSEDED, answer
from .scheduler import Scheduler

logger = logging.getLogger(__name__)

PREPARE_AGAIN_SECONDS = 1.0
RETRY_SECONDS = 30.0  # a model that failed to load is not tried again for every keystroke


class Overtaken(Exception):
    """Something more urgent is to be done."""


class EngineThread(threading.Thread):
    """Runs jobs until `Stop`. `report` is told what the engine is doing, from this thread."""

    def __init__(self, make_engine: MakeEngine, report: Report) -> None:
        super().__init__(name="engine", daemon=True)
        self._make_engine = make_engine
        self._report = report
        self._scheduler = Scheduler()
        self._changed = threading.Condition()
        # Below: touched in this thread only.
        self._engine: Engine | None = None
        self._model = ""
        self._files: dict[FileKey, File] = {}
        self._failed: tuple[float, str] | None = None  # when loading failed, and why
        self._proposer = Proposer()

    # region From any thread
    def put(self, job: Job) -> None:
        """Add a job. What it supersedes is answered here, also where it is running: then a second
        reply comes later, which is to be ignored."""
        with self._changed:
            superseded = self._scheduler.put(job)
            self._changed.notify()
        for older in superseded:
            if isinstance(older, NextEdit):
                older.reply(SUPERSEDED)
            else:
                older.reply(Reply(cancelled=True))

    def withdraw(self, job: Complete) -> bool:
        """Cancel a completion; True if it had not begun and gets no reply from here."""
        with self._changed:
            return self._scheduler.withdraw(job)

    def backlog(self) -> int:
        """Jobs waiting."""
        with self._changed:
            return len(self._scheduler)

    # endregion
    # region The thread
    def run(self) -> None:
        self._load("")
        while not isinstance(job := self._next(), Stop):
            try:
                self._handle(job)
            except KeyturnError as error:  # it says what to do
                logger.warning("%s: %s", type(job).__name__, error)
                with suppress(RuntimeError):  # the loop has ended; nobody is left to tell
                    _fail(job, str(error))
            except Exception as error:  # the top of the thread: one bad job, not the service
                logger.exception("the engine thread could not carry out a %s", type(job).__name__)
                with suppress(RuntimeError):  # the loop has ended; nobody is left to tell
                    _fail(job, f"internal error: {error or type(error).__name__}")
        self._free()

    def _next(self) -> Job:
        with self._changed:
            while (job := self._scheduler.take()) is None:
                self._changed.wait(self._scheduler.wait_seconds())
            return job

    def _handle(self, job: Job) -> None:
        match job:
            case Open():
                self._open(job)
            case Edit(file, version, edits):
                self._edit(file, version, edits)
            case Surround(file, chunks):
                if file in self._files:
                    self._files[file] = replace(self._files[file], chunks=chunks)
            case Close(file):
                self._close(file)
            case Complete():
                job.reply(self._complete(job))
            case NextEdit():
                self._next_edit(job)
            case Refresh(file):
                self._refresh(file)
            case Prepare(file):
                self._prepare(file)
            case Load(name):
                self._load(name)
            case Free():
                self._free()
                self._report(BackendState(Phase.ASLEEP, "the model was freed", self._model))
            case Inspect(reply, digest_of):
                reply(self._inspect(digest_of))
            case Stop():
                raise AssertionError("the loop ends before this")

    def _open(self, job: Open) -> None:
        present, text = self._files.get(job.file), FileText.of(job.text)
        chunks = () if present is None else present.chunks
        if present is not None and present.text.raw != job.text:
            self._proposer.forget(job.file)
        self._files[job.file] = File(job.file, job.language, job.version, text, job.project, chunks)

    def _edit(self, file: FileKey, version: int, edits: tuple[Any, ...]) -> None:
        present = self._files.get(file)
        if present is None:
            return  # closed, or never opened; a completion for it will say so
        made: list[Edited] = []
        text = present.text
        for edit in edits:
            if not 0 <= edit.start <= edit.end <= len(text.raw):
                # Its text and ours differ: nothing is completed until it is opened again.
                logger.warning("an edit lies outside of its document, which is closed for that")
                self._close(file)
                return
            before = text.text
            text, edited = text.edited(edit)
            made.append(edited)
            self._proposer.saw(file, before, *astuple(edited.edit))
        self._files[file] = replace(present, version=version, text=text)
        if self._engine is not None:
            self._engine.edit(present, made)

    def _close(self, file: FileKey) -> None:
        self._proposer.forget(file)
        if self._files.pop(file, None) is not None and self._engine is not None:
            self._engine.forget(file)

    def _complete(self, job: Complete) -> Reply:
        file = self._files.get(job.file)
        if file is None or file.version != job.request.version:
            return Reply(unknown=True)
        if not 0 <= job.request.offset <= len(file.text.raw):
            return Reply(unknown=True)
        if job.cancelled.is_set():
            return Reply(cancelled=True)
        if self._engine is None and self._may_load():
            self._load(self._model)
        if self._engine is None:
            return Reply(error=self._failed[1] if self._failed else "no model is loaded")
        found = self._engine.complete(file, job)
        self.put(Refresh(job.file))  # when there is nothing better to do
        if job.cancelled.is_set():
            return Reply(cancelled=True)
        return Reply(completions=tuple(found))

    def _next_edit(self, job: NextEdit) -> None:
        """Again later if something more urgent comes meanwhile."""

        def pause() -> None:
            with self._changed:
                if self._scheduler.is_urgent:
                    raise Overtaken

        model = None if self._engine is None else self._engine.next_edit_model
        try:
            found = answer(self._proposer, self._files, job, model, pause)
        except Overtaken:
            with self._changed:
                waits = self._scheduler.put_back(job)
            if not waits:
                job.reply(SUPERSEDED)
        else:
            job.reply(found)

    def _refresh(self, key: FileKey | None) -> None:
        """Idle work for one file, or for the model and all files; goes on later if interrupted."""
        for each in (None, *self._files) if key is None else (key,):
            if self._engine is None:
                return
            if not self._is_needed():
                self._engine.refresh(each, self._is_needed)
            if self._is_needed():
                self.put(Refresh(key))
                return

    def _is_needed(self) -> bool:
        """Whether there is anything better to do than to refresh."""
        with self._changed:
            return len(self._scheduler) > 0 or self._scheduler.wait_seconds() == 0

    def _prepare(self, key: FileKey) -> None:
        """Goes on later if interrupted, and while the engine expects to find more."""
        if self._engine is None or key not in self._files:
            return
        more = self._engine.prepare(key, lambda: self.backlog() > 0)
        if more or self.backlog():
            self.put(Prepare(key, PREPARE_AGAIN_SECONDS if more else 0.0))

    def _load(self, name: str) -> None:
        """Put the named model in place of the present one. On failure the present one comes back,
        or there is none."""
        former = self._model if self._engine is not None else ""
        self._free()
        if self._loaded(name) or former in ("", name):
            return
        failed = self._failed
        assert failed is not None, "it has just failed"
        if self._loaded(former):
            message = f"{failed[1]}; going on with {former}"
            self._report(BackendState(Phase.READY, message, former))
            return
        self._failed, self._model = failed, name
        self._report(BackendState(Phase.FAILED, failed[1], name))

    def _loaded(self, name: str) -> bool:
        """Whether the named model could be loaded; `_failed` says why not."""
        self._report(BackendState(Phase.LOADING, "loading", name))
        try:
            self._engine = self._make_engine(name, self._report, self._files.values)
        except Exception as error:
            said = isinstance(error, KeyturnError)  # what to do; anything else is logged in full
            model = name or "the configured model"
            logger.error("loading %s failed: %s", model, error, exc_info=not said)
            self._failed = time.monotonic(), str(error) or type(error).__name__
            self._model = name
            self._report(BackendState(Phase.FAILED, self._failed[1], name))
            return False
        self._failed = None
        self._model = self._engine.name
        self._report(BackendState(Phase.READY, "", self._model))
        self.put(Refresh(None))
        return True

    def _may_load(self) -> bool:
        return self._failed is None or time.monotonic() - self._failed[0] >= RETRY_SECONDS

    def _free(self) -> None:
        engine, self._engine = self._engine, None
        if engine is None:
            return
        if engine.next_edit_model is not None:
            engine.next_edit_model.close()
        engine.close()

    def _inspect(self, digest_of: FileKey | None) -> dict[str, Any]:
        if digest_of is not None:
            file = self._files.get(digest_of)
            if file is None:
                return {}
            data = file.text.raw.encode("utf-8", "surrogatepass")
            return {"version": file.version, "sha256": hashlib.sha256(data).hexdigest()}
        engine = {} if self._engine is None else self._engine.status()
        beside = None if self._engine is None else self._engine.next_edit_model
        return {
            "model": self._model,
            "open_files": len(self._files),
            "open_characters": sum(len(file.text.raw) for file in self._files.values()),
            **engine,
            **({} if beside is None else {"next_edit": beside.status()}),
        }

    # endregion


def _fail(job: Job, message: str) -> None:
    """Answer a job that raised, so that nobody waits for it."""
    match job:
        case Complete():
            job.reply(Reply(error=message))
        case NextEdit():
            job.reply({})
        case Inspect(reply):
            reply({"error": message})
        case _:
            pass
