"""The daemon as a process: alone by its lock, detached, logging, until it is told to stop."""

import asyncio
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import filelock

from ..config import Config
from ..paths import DaemonPaths, check_files, make_private
from ..workspace.printable import PrintableFormatter
from .calibration import Calibration
from .detach import Wanted
from .engine import MakeEngine
from .idle_limits import IdleLimits
from .repeated import OnceHandler
from .server import DaemonServer

logger = logging.getLogger(__name__)

LOST_THE_RACE = 75  # the exit code when another one holds the lock
LOG_BYTES = 1_000_000
LOGS_KEPT = 3


def host(
    paths: DaemonPaths,
    version: str,
    make_engine: MakeEngine,
    reread: Callable[[], Config],
    wanted: Wanted = lambda: True,
) -> int:
    """Run the daemon in this process; the exit code. Another one's lock is `LOST_THE_RACE`.

    `reread` gives the configuration as it is on disk now; `wanted` is asked once, with the lock.
    """
    make_private(paths.runtime)
    check_files(paths)
    lock = filelock.FileLock(paths.lock, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return LOST_THE_RACE
    if not wanted():
        lock.release()
        return 0
    config = reread()
    os.umask(0o077)  # whatever this process writes is for its user only
    _log_to(paths.log, config.daemon.log_level)
    for problem in config.problems:
        logger.warning("%s", problem)
    minutes = config.daemon
    idle = IdleLimits(minutes.free_minutes * 60, minutes.exit_minutes * 60)
    calibration = Calibration(paths.feedback, keep=config.daemon.learn)
    server = DaemonServer(paths, version, make_engine, idle, config.model.cycle, calibration)
    try:
        asyncio.run(_serve(server, reread))
    finally:
        lock.release()
    return 0


async def _serve(server: DaemonServer, reread: Callable[[], Config]) -> None:
    loop = asyncio.get_running_loop()

    def stop(name: str) -> Callable[[], None]:
        return lambda: server.stop(name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop(number.name))
    extras: list[asyncio.Task[AsyncExitStack]] = []
    await server.run(lambda: extras.append(loop.create_task(_extras(server, reread))))
    for task in extras:
        await (await task).aclose()


async def _extras(server: DaemonServer, reread: Callable[[], Config]) -> AsyncExitStack:
    """What the first client need not wait for, its imports included."""
    from .extras import start_extras

    return await start_extras(server, reread)


def _log_to(path: Path, level: str) -> None:
    """Rotated files for this user only; standard error where there is no room for files. What
    repeats itself is counted."""
    handler: logging.Handler
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8"
        )
    except OSError:
        handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[OnceHandler(handler)], force=True)
    for chatty in ("httpx2", "httpcore2"):  # a line for every key, to a server
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.raiseExceptions = False  # a full disk costs log lines, nothing else
