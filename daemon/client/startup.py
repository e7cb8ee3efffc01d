"""Finding the user's daemon, or starting it, without a race however many try at once.

The daemon holds a lock for life and renames its socket into place when it listens, so a socket
that accepts is a daemon that serves. Whoever finds none takes the starting lock and starts one;
the others only wait for the socket. Whoever finds an older one takes the same lock before asking
it to leave, or the fronts that lose it would start one of their own version again.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import filelock
from packaging.version import InvalidVersion, Version

from ...lsp.backend import BackendError
from .. import protocol
from ..paths import DaemonPaths, UnsafeDirectory, check_files, make_private
from ..protocol import ProtocolError, Welcome
from .link import Link

START_SECONDS = 15.0
WELCOME_SECONDS = 10.0
POLL_SECONDS = (0.01, 0.25)  # the first wait and the longest

Spawn = Callable[[DaemonPaths], Awaitable[None]]


async def spawn_daemon(paths: DaemonPaths) -> None:
    """Start a daemon that outlives us; returns when it holds the lock, or another one does. None
    is left behind when we are cancelled, or killed, before that."""
    environment = dict(os.environ, KEYTURN_RUNTIME_DIR=str(paths.runtime))
    command = [sys.executable, "-m", "keyturn.daemon", "daemon", "run", "--detach"]
    nothing = subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *[*command, "--starter", str(os.getpid())],
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        env=environment,
        cwd="/",
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def connect(paths: DaemonPaths, hello: protocol.Hello) -> Link | None:
    """A link to the daemon that runs; None if none does. Raises `BackendError`."""
    _check(paths)
    silent = f"the daemon at {paths.socket} has not answered within {WELCOME_SECONDS:g} s"
    try:
        async with asyncio.timeout(WELCOME_SECONDS):
            reader, writer = await asyncio.open_unix_connection(paths.socket)
    except (FileNotFoundError, ConnectionError, NotADirectoryError):
        return None
    except TimeoutError as error:
        raise BackendError(silent) from error
    except OSError as error:
        raise BackendError(f"cannot use {paths.socket}: {error.strerror}; remove it") from error
    try:
        writer.write(protocol.pack(hello))
        async with asyncio.timeout(WELCOME_SECONDS):
            welcome = await protocol.read(reader, protocol.FromDaemon)
    except TimeoutError as error:
        writer.close()
        raise BackendError(silent) from error
    except (OSError, ProtocolError) as error:
        writer.close()
        raise BackendError(f"the daemon at {paths.socket} does not answer properly") from error
    match welcome:
        case Welcome():
            return Link(reader, writer, welcome)
        case protocol.Refused(message):
            writer.close()
            raise BackendError(f"the daemon refused: {message}")
        case _:
            writer.close()
            return None


async def connect_or_start(
    paths: DaemonPaths, hello: protocol.Hello, spawn: Spawn = spawn_daemon
) -> Link:
    """A link to a daemon of our protocol, started or replaced if need be.

    Raises `BackendError` when that cannot be had.
    """
    try:
        make_private(paths.runtime)
    except (OSError, UnsafeDirectory) as error:
        raise BackendError(str(error)) from error
    link = await _current(paths, hello) or await _start(paths, hello, spawn)
    if link.welcome.protocol != hello.protocol:
        link.close()
        raise BackendError(
            f"the running daemon is version {link.welcome.version}, this is {hello.version}: "
            "restart the editor, or run `keyturn daemon restart`"
        )
    return link


@contextlib.asynccontextmanager
async def nobody_starting(paths: DaemonPaths) -> AsyncIterator[None]:
    """Nobody is in the middle of starting a daemon, nor begins to. Raises `BackendError`."""
    if not paths.runtime.exists():  # nothing is made for this
        yield
        return
    _check(paths)
    starting = filelock.FileLock(paths.starting, is_singleton=False, thread_local=False)
    try:
        await asyncio.to_thread(starting.acquire, timeout=START_SECONDS)
    except filelock.Timeout:
        raise BackendError("somebody is still starting the daemon; try again") from None
    except OSError as error:
        raise BackendError(f"cannot use {paths.starting}: {error.strerror}") from error
    try:
        yield
    finally:
        starting.release()


def is_running(paths: DaemonPaths) -> bool:
    """Whether a daemon holds the lock: also one that does not listen yet, or not any more. Raises
    `BackendError`."""
    _check(paths)
    if not paths.lock.exists():
        return False
    lock = filelock.FileLock(paths.lock, is_singleton=False, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    except OSError as error:
        raise BackendError(f"cannot use {paths.lock}: {error.strerror}") from error
    lock.release()
    return False


def _check(paths: DaemonPaths) -> None:
    try:
        check_files(paths)
    except UnsafeDirectory as error:
        raise BackendError(str(error)) from error


async def wait_until_gone(paths: DaemonPaths) -> None:
    """Until the daemon that was told to leave has given up its lock: it may be in the middle of
    loading a model. Raises `BackendError`."""
    lock = filelock.FileLock(paths.lock, is_singleton=False, thread_local=False)
    try:
        await asyncio.to_thread(lock.acquire, timeout=START_SECONDS)
    except filelock.Timeout:
        raise BackendError("the daemon is still finishing; try again") from None
    except OSError as error:
        raise BackendError(f"cannot use {paths.lock}: {error.strerror}") from error
    lock.release()


async def _current(paths: DaemonPaths, hello: protocol.Hello) -> Link | None:
    """A link to the daemon that runs, unless it is older than we are."""
    link = await connect(paths, hello)
    if link is None or not _is_older(link.welcome, hello):
        return link
    link.close()
    return None


async def _start(paths: DaemonPaths, hello: protocol.Hello, spawn: Spawn) -> Link:
    starting = filelock.FileLock(paths.starting, is_singleton=False, thread_local=False)
    deadline = time.monotonic() + START_SECONDS
    wait, longest = POLL_SECONDS
    try:
        while time.monotonic() < deadline:
            if link := await _current(paths, hello):
                return link
            if not starting.is_locked:
                with contextlib.suppress(filelock.Timeout):
                    starting.acquire(timeout=0)
                    deadline = time.monotonic() + START_SECONDS
                    await _replace(paths, hello, spawn)
                    continue
            await asyncio.sleep(wait)
            wait = min(longest, wait * 1.5)
    except OSError as error:  # a time limit that has passed is one too
        reason = str(error) or f"no answer within {START_SECONDS:g} s"
        raise BackendError(f"cannot start the daemon: {reason}") from error
    finally:
        starting.release()
    raise BackendError(f"no daemon within {START_SECONDS:g} s; its log is {paths.log}")


async def _replace(paths: DaemonPaths, hello: protocol.Hello, spawn: Spawn) -> None:
    """With the starting lock: have an older daemon leave, and start ours unless one runs by now."""
    link = await connect(paths, hello)
    if link is not None:
        if not _is_older(link.welcome, hello):
            link.close()
            return
        await _hand_over(link)
        await wait_until_gone(paths)
    await spawn(paths)


async def _hand_over(link: Link) -> None:
    """Ask an older daemon to go, and wait until it has answered everybody and closed."""
    link.send(protocol.Command(0, protocol.Shutdown("a newer version takes over")))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            await link.listen()
    link.close()


def _is_older(welcome: Welcome, hello: protocol.Hello) -> bool:
    try:
        return Version(welcome.version) < Version(hello.version)
    except InvalidVersion:  # of neither do we know that it should go
        return False
