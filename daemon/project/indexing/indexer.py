"""The daemon's side of indexing: one process for all projects, started with the first of them."""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...workspace.printable import printable
from ...workspace.project import project_of
from ..encoded import forget_encoded
from ..index import ProjectIndex
from ..place import Place
from .keeper import Globs, SettingsIn
from .known import Known, stamps_of_settings

logger = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", f"{__package__}.process")
AGAIN_SECONDS = 30.0  # between two words to the process about the same project
BUSY_SECONDS = 0.05  # between two words about keys
MOST_KNOWN = 8  # projects; the one asked about longest ago is left
MOST_DEATHS = 5  # of the process in a row; then there is no other
FIRST_WAIT_SECONDS = 1.0  # before the next one starts; doubled with every death
LONG_LIFE_SECONDS = 600.0  # after which a death begins a new row
END_SECONDS = 2.0
SAY_SECONDS = 10.0  # for a word to be heard
SAY_AGAIN_SECONDS = 0.01


class Indexer:
    """For any thread; nothing waits. `settings_in` says whether a project may be read."""

    def __init__(
        self,
        cache: Path,
        settings_in: SettingsIn,
        command: Sequence[str] = COMMAND,
        first_wait_seconds: float = FIRST_WAIT_SECONDS,
    ) -> None:
        self.cache = cache
        self._settings_in = settings_in
        self._command = tuple(command)
        self._first_wait_seconds = first_wait_seconds
        self._closing = threading.Event()
        self._speaking = threading.Lock()  # to the process
        self._lock = threading.Lock()
        # Below: touched with the lock only.
        self._known: OrderedDict[Path, Known] = OrderedDict()
        self._process: subprocess.Popen[bytes] | None = None
        self._tender: threading.Thread | None = None
        self._deaths = 0
        self._said_busy = 0.0

    # region From any thread
    def around(self, path: Path, globs: Globs = ()) -> Known | None:
        """The project of a file, whose reading begins with the first question. None for a file
        that is in no project or whose project is not to be read, and for the moment that it takes
        to find that out. `globs`: that no file in it may match, beside those of its settings; they
        hold until others are named. None: it is not to be read, and to be forgotten."""
        root = project_of(path)
        if root is None or self._closing.is_set():
            return None
        now = time.monotonic()
        with self._lock:
            known = self._known.get(root)
            if known is None:
                index = ProjectIndex(Place.of(root, self.cache))
                known = self._known[root] = Known(root, index, path, globs)
            self._known.move_to_end(root)
            known.near = path
            is_due = not known.asked or now > known.asked + AGAIN_SECONDS
            stamps = stamps_of_settings(root)
            if is_due or globs != known.globs or stamps != known.stamps:
                known.asked, known.globs, known.stamps = now, globs, stamps
                self._in_background(lambda: self._look(known))
            left = [self._known.popitem(last=False) for _ in range(len(self._known) - MOST_KNOWN)]
        for _, each in left:
            each.state = "left"
            each.index.close()
        return known if known.is_allowed else None

    def busy(self) -> None:
        """A key was pressed: the indexer rests for a moment."""
        now = time.monotonic()
        if now > self._said_busy + BUSY_SECONDS:
            self._said_busy = now
            self._send("busy")

    def idle(self) -> None:
        """Nobody waits for anything: the indexer need not rest any longer."""
        if self._said_busy:
            self._said_busy = 0.0
            self._send("idle")

    def status(self) -> dict[str, Any]:
        """For people: what is known of each project, and how the process is."""
        with self._lock:
            known, process, deaths = list(self._known.values()), self._process, self._deaths
        if not known:
            return {}
        found: dict[str, Any] = {"projects": {printable(str(k.root)): k.words() for k in known}}
        problems = [each for one in known for each in one.facts.get("problems", ())]
        if deaths > MOST_DEATHS:
            problems.append(f"the indexer has ended {deaths} times and stays away: see the log")
        if problems:
            found["problems"] = [printable(str(each)) for each in problems]
        if process is not None:
            found["indexer"] = f"process {process.pid}"
        return found

    def close(self) -> None:
        """End the process; what was handed out stays good for reading."""
        self._closing.set()
        with self._lock:
            process, tender, known = self._process, self._tender, list(self._known.values())
        if process is not None:
            _end(process)
        if tender is not None and tender is not threading.current_thread():
            tender.join(END_SECONDS)
        for each in known:
            each.index.close()

    # endregion
    def _in_background(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="project settings", daemon=True).start()

    def _look(self, known: Known) -> None:
        with known.looking:  # what was read first is not to be what holds
            self._look_alone(known)

    def _look_alone(self, known: Known) -> None:
        """Read a project's settings, and tell the process of it, if it is to be read or was."""
        try:
            options = self._settings_in(known.root)
        except Exception:  # the top of the thread
            logger.exception("the settings of %s cannot be read", known.root)
            return
        if options is not None:
            known.settings_allow = options.project
        if not known.is_allowed:
            known.state = "off"  # as the process may have said before
            if known.is_allowed is False and not known.is_forgotten:
                self._forget_encoded(known.root)
                known.is_forgotten = True
        else:
            known.is_forgotten = False
            if known.state == "off":
                known.state = "waiting"
        if known.is_allowed is not False or known.index.place.folder.exists():
            self._tend_to()
        self._send_around(known)

    def _forget_encoded(self, root: Path) -> None:
        for path, count in forget_encoded(self.cache, root):
            logger.info("%d chunks of %s are removed from %s", count, root, path)

    def _send_around(self, known: Known) -> None:
        """Say what there is to read. Many globs are more than the process can be sent at once."""
        if not self._speaking.acquire(timeout=SAY_SECONDS):
            return  # it hears nothing; it is said again after a while, or to the next process
        try:
            self._say({"around": str(known.near), "globs": known.globs}, SAY_SECONDS)
        finally:
            self._speaking.release()

    def _send(self, word: str) -> None:
        """Say a word to the process if it listens; nothing waits."""
        if self._speaking.acquire(blocking=False):
            try:
                self._say(word, 0.0)
            finally:
                self._speaking.release()

    def _say(self, word: object, most_seconds: float) -> None:
        """While nobody else does. What is cut off is not understood: the next word begins a new
        line."""
        with self._lock:
            process = self._process
        until = time.monotonic() + most_seconds
        if process is None or process.stdin is None:
            return
        left = memoryview(b"\n" + json.dumps(word).encode() + b"\n")
        with contextlib.suppress(OSError, ValueError):  # it has ended, or is being ended
            while True:
                left = left[process.stdin.write(left) or 0 :]
                if not left or time.monotonic() >= until or self._closing.wait(SAY_AGAIN_SECONDS):
                    break

    # region The thread
    def _tend_to(self) -> None:
        """Start the process, and the thread that listens to it and starts another one if it
        dies."""
        with self._lock:
            if self._tender is not None or self._closing.is_set():
                return
            self._start()
            self._tender = threading.Thread(target=self._tend, name="indexer", daemon=True)
            self._tender.start()

    def _start(self) -> None:
        """With the lock."""
        try:
            self._process = subprocess.Popen(
                (*self._command, str(self.cache)),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
            )
        except OSError as error:
            logger.warning("the indexer does not start: %s", error)
            return
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)

    def _tend(self) -> None:
        while not self._closing.is_set():
            began = time.monotonic()
            status = self._listen()
            if self._closing.is_set():
                return
            is_old = time.monotonic() - began > LONG_LIFE_SECONDS
            with self._lock:
                self._process = None
                self._deaths = 1 if is_old else self._deaths + 1
                deaths = self._deaths
            logger.warning("the indexer ended with status %s", status)
            if deaths > MOST_DEATHS:
                return
            self._closing.wait(self._first_wait_seconds * 2 ** (deaths - 1))
            self._again()

    def _listen(self) -> int | None:
        """Hear what the process says until it ends; its exit status."""
        process = self._process
        if process is None or process.stdout is None:
            return None
        with process.stdout as lines:
            for line in lines:
                self._hear(line)
        _end(process)
        return process.returncode

    def _hear(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if "log" in said:
                logger.log(int(said["log"]), "%s", said["text"])
            elif "project" in said and (known := self._known.get(Path(said.pop("project")))):
                known.state = str(said.pop("state"))
                known.facts = said
        except (ValueError, TypeError, KeyError):  # what Python says of a crash
            logger.warning("the indexer: %s", line.decode("utf-8", "replace").rstrip())

    def _again(self) -> None:
        """Start another process, and tell it of all projects."""
        with self._lock:
            if self._closing.is_set():
                return
            self._start()
            known = list(self._known.values())
        for each in known:
            self._send_around(each)

    # endregion


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
