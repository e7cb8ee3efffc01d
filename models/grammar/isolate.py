"""Oracles in a process of their own, behind the same two calls as any other oracle.

Grammars carry hand-written C. If it crashes, loops or eats memory, the worker process is killed
and started again; the states that lived there let everything pass from then on, so it costs one
suggestion its grammar. A language that keeps doing it is left alone for a while.

A worker that is late without having computed has not failed: the machine is busy, or stopped it.
"""

import os
import select
import subprocess
import sys
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import GrammarWorkerError, GrammarWorkerFailed
from .followed import Followed
from .oracle import Opening, State, Unconstrained
from .worker import DOCUMENTS, HEAD_BYTES, OVERTIME, pack, read_length, unpack

OPEN_SECONDS = 10.0  # until an answer: a large file's first reading, the start of the process
STEP_SECONDS = 1.0  # usually 20 to 100 microseconds
STRIKES = 3  # failures of a language before it is left alone
REST_SECONDS = 3600.0  # until a failure is forgiven


class GrammarProcess:
    """Owns the worker process. Not thread-safe: one thread uses it and all its states."""

    def __init__(
        self,
        command: tuple[str, ...] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """`clock` in seconds: how long ago a language failed."""
        module = __name__.rpartition(".")[0] + ".worker"
        self._command = command or (sys.executable, "-m", module)
        self._process: subprocess.Popen[bytes] | None = None
        self._sizes: OrderedDict[str, int] = OrderedDict()  # characters the worker has of a file
        self._released: list[int] = []
        self._clock = clock
        self._strikes: dict[str, deque[float]] = {}  # when a language failed last
        self._sent = self._received = 0  # requests and replies of this process
        self.generation = 0  # of the process: states of an older one are gone

    def oracle(self, file: str, language: str, schema: str = "") -> "IsolatedOracle":
        """The oracle of one file, by a JSON schema's file too if there is one; its checkpoints
        live on in the worker."""
        return IsolatedOracle(self, file, language, schema)

    def start(self) -> None:
        """Start the worker if it isn't running, so that the first request finds it warm."""
        if self._process is not None and self._process.poll() is None:
            return
        self.generation += 1
        self._sizes.clear()
        self._released.clear()
        self._sent = self._received = 0
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise GrammarWorkerError(f"the grammar worker does not start: {error}") from error
        self._reaper = weakref.finalize(self, _reap, self._process)

    @property
    def pid(self) -> int | None:
        """The worker's, if one runs."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._end()

    def begin(
        self,
        file: str,
        language: str,
        left: str,
        schema: str = "",
        followed: Followed | None = None,
        start: int = 0,
    ) -> Callable[[], Opening]:
        """Send `left` to be opened while the caller does something else; call what is returned to
        wait for it, before anything else is asked. `schema` is the file of a JSON schema.

        `left` begins at character `start` of a text whose edits `followed` is told of: what the
        worker has of it is not sent again."""
        if followed is None:
            followed = Followed()
        else:
            file = followed.key
        if self._rests(language):
            reason = f"the grammar of {language} failed {STRIKES} times: left alone for a while"
            return lambda: _unconstrained(reason)
        try:
            self.start()
            kept = min(self._sizes.get(file, 0), followed.known(start), len(left))
            ticket = self._send("open", file, language, schema, kept, left[kept:])
        except GrammarWorkerError as error:
            reason = self._told(error, language)
            return lambda: _unconstrained(reason)
        followed.sent(start, start + len(left))
        self._sizes[file] = len(left)
        self._sizes.move_to_end(file)
        if len(self._sizes) > DOCUMENTS:
            self._sizes.popitem(last=False)
        generation = self.generation
        return lambda: self._opened(language, generation, ticket)

    def _opened(self, language: str, generation: int, ticket: int) -> Opening:
        if generation != self.generation:
            return _unconstrained("the grammar worker was restarted")
        try:
            state, constrained, reason, skipped = self._receive(ticket, OPEN_SECONDS)
        except GrammarWorkerError as error:
            return _unconstrained(self._told(error, language))
        if isinstance(state, str):
            return Opening(Unconstrained(state), False, reason or state, skipped)
        isolated = IsolatedState(self, language, generation, state)
        return Opening(isolated, constrained, reason, skipped)

    def step(self, state: "IsolatedState", name: str, *arguments: Any) -> Any:
        """Ask something of a state; raises GrammarWorkerError if it is gone."""
        if state.generation != self.generation:
            raise GrammarWorkerError("the grammar worker was restarted")
        try:
            return self._receive(self._send(name, state.number, *arguments), STEP_SECONDS)
        except GrammarWorkerError as error:
            self._told(error, state.language)
            raise

    def release(self, generation: int, number: int) -> None:
        """A state that nobody holds any more; told to the worker with the next request."""
        if generation == self.generation:
            self._released.append(number)

    # region strikes

    def _rests(self, language: str) -> bool:
        """Whether a language has failed too often lately."""
        strikes = self._strikes.get(language, ())
        return len(strikes) == STRIKES and self._clock() - strikes[0] < REST_SECONDS

    def _told(self, error: GrammarWorkerError, language: str) -> str:
        """What to say about an error, which is held against the language if it is its own."""
        if isinstance(error, GrammarWorkerFailed):
            self._strikes.setdefault(language, deque(maxlen=STRIKES)).append(self._clock())
        return str(error)

    # endregion
    # region frames

    def _send(self, name: str, *arguments: Any) -> int:
        """Write a request; its number, by which to receive the reply."""
        process = self._process
        if process is None or process.stdin is None:
            raise GrammarWorkerError("the grammar worker is not running")
        released, self._released = self._released, []
        request = pack([name, released, *arguments])
        try:
            _write(process.stdin.fileno(), request, time.monotonic() + OPEN_SECONDS)
        except (OSError, TimeoutError) as error:
            raise self._failed(error, OPEN_SECONDS) from error
        self._sent += 1
        return self._sent

    def _receive(self, ticket: int, seconds: float) -> Any:
        """The reply to a request; those of earlier ones that nobody fetched are dropped."""
        process, deadline, reply = self._process, time.monotonic() + seconds, None
        if process is None or process.stdout is None or self._received >= ticket:
            raise GrammarWorkerError("the grammar's answer was not fetched in time")
        try:
            while self._received < ticket:
                if reply is not None and isinstance(reply[0], int):
                    self._released.append(reply[0])  # an opening that was given up
                head = _read(process.stdout.fileno(), HEAD_BYTES, deadline)
                reply = unpack(_read(process.stdout.fileno(), read_length(head), deadline))
                self._received += 1
        except (OSError, EOFError, TimeoutError) as error:
            raise self._failed(error, seconds) from error
        return reply

    def _failed(self, error: Exception, seconds: float) -> GrammarWorkerError:
        """End the worker; what to say about it."""
        status = self._end()
        if isinstance(error, TimeoutError):
            late = f"the grammar worker did not answer within {seconds:g} s and was restarted"
            return GrammarWorkerError(late)
        what = "computed for too long" if status == -OVERTIME else f"died with status {status}"
        return GrammarWorkerFailed(f"the grammar worker {what} and was restarted")

    def _end(self) -> int:
        """Kill the worker; its exit status before that, if it had died by itself."""
        process, self._process = self._process, None
        self.generation += 1
        assert process is not None
        self._reaper.detach()
        return _reap(process)

    # endregion


@dataclass(frozen=True)
class IsolatedOracle:
    """One file's oracle in the worker."""

    process: GrammarProcess
    file: str
    language: str
    schema: str = ""

    def open(self, left: str) -> Opening:
        """See `oracle.Oracle`."""
        return self.begin(left)()

    def begin(
        self, left: str, followed: Followed | None = None, start: int = 0
    ) -> Callable[[], Opening]:
        """Open while the caller does something else: see `GrammarProcess.begin`."""
        return self.process.begin(self.file, self.language, left, self.schema, followed, start)


class IsolatedState:
    """A state in the worker, by its number; lets everything pass when the worker is gone."""

    __slots__ = ("generation", "language", "number", "process")

    def __init__(self, process: GrammarProcess, language: str, generation: int, number: int):
        self.process = process
        self.language = language
        self.generation = generation
        self.number = number

    def __del__(self):
        self.process.release(self.generation, self.number)

    def feed(self, data: bytes) -> State | None:
        """See `oracle.State`."""
        try:
            after = self.process.step(self, "feed", data)
        except GrammarWorkerError as error:
            return Unconstrained(str(error))
        match after:
            case None:
                return None
            case str(reason):
                return Unconstrained(reason)
            case number:
                return IsolatedState(self.process, self.language, self.generation, number)

    def can_finish(self) -> bool:
        """See `oracle.State`."""
        try:
            return self.process.step(self, "finish")
        except GrammarWorkerError:
            return True

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """See `oracle.State`."""
        try:
            return self.process.step(self, "reach", pieces, finish)
        except GrammarWorkerError:
            return len(pieces) + finish


def _reap(process: "subprocess.Popen[bytes]") -> int:
    """End a process that ends with its input, or is made to; its exit status."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        return process.wait(timeout=0.2)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _unconstrained(reason: str) -> Opening:
    return Opening(Unconstrained(reason), False, reason)


def _write(descriptor: int, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        _, writable, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
        if not writable:
            raise TimeoutError
        view = view[os.write(descriptor, view[: select.PIPE_BUF]) :]


def _read(descriptor: int, size: int, deadline: float) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            raise TimeoutError
        part = os.read(descriptor, size - len(parts))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
