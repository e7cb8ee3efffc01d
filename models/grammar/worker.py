"""The process that runs the grammars: their C code may crash or hang without harm to anybody else.

It ends itself when one request takes too much of the processor's time, however long that lasts.

Reads requests from standard input and answers on standard output, one frame each: four bytes of
length, then msgpack. States stay here; the other side holds their numbers. See `isolate`.
"""

import os
import resource
import signal
import sys
from collections import OrderedDict
from typing import Any, BinaryIO

import msgpack

from .languages import open_oracle
from .oracle import Opening, Oracle, State, Unconstrained

MEMORY_BYTES = 2 << 30
DOCUMENTS = 32
HEAD_BYTES = 4
OPEN_CPU_SECONDS, STEP_CPU_SECONDS = 8.0, 0.8  # less than the other side waits
OVERTIME = signal.SIGPROF  # what ends the process then, also in C code

Kind = tuple[str, str, int]  # a language, a schema's file and its age: one oracle


class Worker:
    """Owns every oracle and state of the process."""

    def __init__(self):
        self._oracles: OrderedDict[str, tuple[Kind, Oracle]] = OrderedDict()
        self._lefts: dict[str, str] = {}
        self._states: dict[int, State] = {}
        self._next = 1

    def answer(self, request: list[Any]) -> Any:
        """The reply to one request: its name, the states released since the last, its arguments."""
        name, released, *arguments = request
        for number in released:
            self._states.pop(number, None)
        match name:
            case "open":
                return self._open(*arguments)
            case "feed":
                number, data = arguments
                return self._keep(self._states[number].feed(data))
            case "finish":
                return self._states[arguments[0]].can_finish()
            case "reach":
                number, pieces, finish = arguments
                return self._states[number].reach(tuple(pieces), finish)
            case _:
                raise AssertionError(f"unknown request {name}")

    def _open(self, file: str, language: str, schema: str, kept: int, text: str) -> list[Any]:
        known, kind = self._oracles.get(file), (language, schema, _changed(schema))
        if known is None or known[0] != kind:
            known = (kind, open_oracle(language, schema))
        self._oracles[file] = known
        self._oracles.move_to_end(file)
        left = self._lefts[file] = self._lefts.get(file, "")[:kept] + text
        if len(self._oracles) > DOCUMENTS:
            dropped, _ = self._oracles.popitem(last=False)
            del self._lefts[dropped]
        opening: Opening = known[1].open(left)
        state = self._keep(opening.state)
        return [state, opening.constrained, opening.reason, opening.skipped_lines]

    def _keep(self, state: State | None) -> Any:
        """None for a refusal, a reason for what lets everything pass, or the state's number."""
        match state:
            case None:
                return None
            case Unconstrained(reason):
                return reason
            case _:
                number, self._next = self._next, self._next + 1
                self._states[number] = state
                return number


def _changed(schema: str) -> int:
    """When a schema's file changed last, in nanoseconds; 0 if there is none."""
    try:
        return os.stat(schema).st_mtime_ns if schema else 0
    except OSError:
        return 0


def pack(message: Any) -> bytes:
    """One frame. Lone surrogates, which editors can produce, pass as they are."""
    body = msgpack.packb(message, unicode_errors="surrogatepass")
    assert body is not None
    return len(body).to_bytes(HEAD_BYTES, "little") + body


def read_length(head: bytes) -> int:
    """The length of the frame that `head` announces, in bytes."""
    return int.from_bytes(head, "little")


def unpack(body: bytes) -> Any:
    """What `pack` packed, without its head."""
    return msgpack.unpackb(body, unicode_errors="surrogatepass")


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the other side goes away."""
    worker = Worker()
    while len(head := requests.read(HEAD_BYTES)) == HEAD_BYTES:
        request = unpack(requests.read(read_length(head)))
        limit = OPEN_CPU_SECONDS if request[0] == "open" else STEP_CPU_SECONDS
        signal.setitimer(signal.ITIMER_PROF, limit)  # in which waiting does not count
        replies.write(pack(worker.answer(request)))
        replies.flush()


def main() -> None:
    """Run as `python -m keyturn.models.grammar.worker`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
