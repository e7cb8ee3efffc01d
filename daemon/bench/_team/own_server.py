"""A server of one's own: `keyturn serve` as a process, with users and their tokens."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from ....cache.errors import KeyturnError
from ...team.tokens import add

START_SECONDS = 240.0
STOP_SECONDS = 60.0
REPLICA = "ServeReplica:keyturn:Engine"  # in the name of a replica's process


class NoServer(KeyturnError):
    """The server did not come up."""


@dataclass(frozen=True, slots=True)
class OwnServer:
    """`tokens` by user."""

    folder: Path
    url: str
    tokens: Mapping[str, str]
    process: subprocess.Popen[bytes]

    def replicas(self) -> list[psutil.Process]:
        """The processes with the model."""
        found: list[psutil.Process] = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if REPLICA in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
        return found


@contextmanager
def own_server(
    folder: Path,
    model: str,
    users: Sequence[str],
    replicas: int = 2,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    more: Sequence[str] = (),
) -> Iterator[OwnServer]:
    """One that answers. `model`: empty for the configured one; `more`: options of `keyturn serve`.
    Raises `NoServer` with what it said last."""
    tokens = folder / "tokens"
    known = {user: add(tokens, user) for user in users}
    port = port or free_port()
    log = folder / "serve.log"
    named = ["--model", model] if model else []
    arguments = [*named, "--replicas", str(replicas), "--port", str(port), *more]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "keyturn.daemon", "serve", *arguments, "--tokens", str(tokens)],
            stdout=file,
            stderr=file,
            env={**os.environ, **(environment or {})},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, url, log)
        yield OwnServer(folder, url, known, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            if httpx2.get(f"{url}/healthz", timeout=5.0).is_success:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.2)
    said = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise NoServer("the server did not come up: " + " / ".join(said))
