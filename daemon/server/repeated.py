"""A log filter: a trouble that repeats itself takes one line and a count, not thousands."""

import logging
import re
import time
from collections.abc import Hashable
from dataclasses import dataclass

WINDOW_SECONDS = 60.0
MOST_KINDS = 200  # remembered at once; others are written as they come
MOST_CHARACTERS = 200  # of a line that is said again


@dataclass(slots=True)
class Seen:
    """One kind of trouble in the present window."""

    logger: str
    level: int
    text: str
    until: float  # time.monotonic()
    more: int = 0


class OnceHandler(logging.Handler):
    """Passes records on to `target`: of warnings and errors of one kind, the first, and after a
    minute how many more there were."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__()
        self._target = target
        self._seen: dict[Hashable, Seen] = {}

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        self._settle(now)
        if record.levelno >= logging.WARNING:
            kind = _kind(record)
            if seen := self._seen.get(kind):
                seen.more += 1
                return
            if len(self._seen) < MOST_KINDS:
                text = record.getMessage()[:MOST_CHARACTERS].partition("\n")[0]
                until = now + WINDOW_SECONDS
                self._seen[kind] = Seen(record.name, record.levelno, text, until)
        self._target.handle(record)

    def close(self) -> None:
        self._settle(float("inf"))
        self._target.close()
        super().close()

    def _settle(self, now: float) -> None:
        """Say how often what has had its minute was seen again."""
        for kind, seen in [pair for pair in self._seen.items() if pair[1].until <= now]:
            del self._seen[kind]
            if seen.more:
                text = f"{seen.more} more like this: {seen.text}"
                record = logging.LogRecord(seen.logger, seen.level, "", 0, text, None, None)
                self._target.handle(record)


def _kind(record: logging.LogRecord) -> Hashable:
    """The same for an exception from the same line, or for words that differ in numbers only."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return record.name, record.levelno, re.sub(r"\d+", "#", record.getMessage())
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace and (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return record.name, type(error), place
