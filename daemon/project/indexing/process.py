"""The process that indexes projects: `python -m keyturn.daemon.project.indexing.process CACHE`.

A daemon starts one, and tells it by lines of JSON on its standard input where somebody works, and
when a key was pressed; it ends when the input does. What it says, also in lines of JSON, is how far
it has come, and what belongs into the log. It takes only time that nobody else wants.
"""

import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import psutil

from ...codec import decoder
from ...config import settings_in
from .keeper import Globs
from .keepers import Around, Keepers
from .pace import Pace

END_SECONDS = 1.0  # from the end of the input to the end of the process


class Voice(logging.Handler):
    """Lines of JSON on standard output: what is told, and the log."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(logging.INFO)
        self._stream = stream
        self.setFormatter(logging.Formatter("%(message)s"))

    def tell(self, **facts: Any) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody hears any more
            self._stream.write(json.dumps(facts) + "\n")
            self._stream.flush()

    def emit(self, record: logging.LogRecord) -> None:
        self.tell(log=record.levelno, text=self.format(record))


def listen(stream: IO[bytes], pace: Pace, around: Callable[[Around], None]) -> None:
    """Pass on what the lines say until they end."""
    for line in stream:
        try:
            word = json.loads(line)
        except ValueError:
            continue
        if word == "busy":
            pace.busy()
        elif word == "idle":
            pace.idle()
        elif isinstance(word, dict) and isinstance(word.get("around"), str):
            with contextlib.suppress(ValueError):  # no globs
                globs = decoder(Globs)(word.get("globs", []))
                around(Around(Path(word["around"]), globs))


def be_modest() -> None:
    """Take time and disk only where nobody else wants them, as far as the system can tell."""
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError, AttributeError, psutil.Error):
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def main() -> None:
    be_modest()
    os.umask(0o077)
    voice = Voice(sys.stdout)
    logging.basicConfig(level=logging.INFO, handlers=[voice], force=True)
    pace = Pace()
    keepers = Keepers(Path(sys.argv[1]), settings_in, pace, voice.tell)

    def hear() -> None:
        listen(sys.stdin.buffer, pace, keepers.tasks.put)
        keepers.close()
        time.sleep(END_SECONDS)
        os._exit(0)

    threading.Thread(target=hear, daemon=True).start()
    voice.tell(ready=os.getpid())
    keepers.run()


if __name__ == "__main__":
    main()
