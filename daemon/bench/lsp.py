"""The cost of the service on top of the engine: editor pipe → front → daemon → front → pipe.

The engine is `lookup`, which answers in microseconds, and the time that it reports is taken off
each round trip. Everything runs in a folder of its own, beside any daemon of the user's.
"""

import json
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psutil

from ..percentile import percentile
from . import _options
from ._peers.front import KEYTURN, Front
from ._peers.front import environment as world

URI = "file:///bench.py"
INLINE = "textDocument/inlineCompletion"
TEXT = "value = compute(first, second)\n" * 40 + "value"
HERE = {
    "textDocument": {"uri": URI},
    "position": {"line": TEXT.count("\n"), "character": len("value")},
    "context": {"triggerKind": 1},  # invoked: past the front's own cache
}
DECODING_SECONDS = 0.03  # long enough to have begun, too short for candidates to be done


@click.command(name="lsp")
@click.option("--requests", default=2_000, show_default=True, help="Round trips to measure.")
@click.option("--starts", default=5, show_default=True, help="How often to start each process.")
@_options.loading("Also measure cancelling, with this model decoding.", optional=True)
@_options.threads
@_options.as_json
def command(
    requests: int, starts: int, model: str, device: str, dtype: str, threads: int, as_json: bool
) -> None:
    """Measure the round trip without the engine, and how fast the processes are there."""
    with tempfile.TemporaryDirectory(prefix="keyturn-") as folder, _ending_processes():
        figures = _measure(world(Path(folder) / "lookup", "lookup"), requests, starts)
        if model:
            environment = world(Path(folder) / "model", model)
            environment |= {"KEYTURN_MODEL_DEVICE": device, "KEYTURN_MODEL_DTYPE": dtype}
            environment |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
            figures |= _cancelling(environment)
    if as_json:
        click.echo(json.dumps({"bench": "lsp", "requests": requests, "figures": figures}))
        return
    for name, value in figures.items():
        click.echo(f"{name:<22} {value:8.2f}")


@contextmanager
def _ending_processes() -> Iterator[None]:
    """An interrupt that comes while a process is being started leaves nobody else to end it."""
    try:
        yield
    finally:
        for process in psutil.Process().children():
            process.terminate()


def _cancelling(environment: dict[str, str], times: int = 50) -> dict[str, float | None]:
    """How long a request that is being decoded takes to be answered once a newer one is there."""
    subprocess.run([*KEYTURN, "daemon", "start"], env=environment, check=True, capture_output=True)
    try:
        with Front(environment) as front:
            front.open(URI, "python", TEXT)
            front.wait_until_ready()
            took_ms = [_superseded_ms(front) for _ in range(times)]
    finally:
        subprocess.run([*KEYTURN, "daemon", "stop"], env=environment, capture_output=True)
    return {
        "superseded_p50_ms": percentile(took_ms, 50),
        "superseded_p99_ms": percentile(took_ms, 99),
    }


def _measure(environment: dict[str, str], requests: int, starts: int) -> dict[str, float | None]:
    accepting_ms = [_accepting_ms(environment) for _ in range(starts)]
    subprocess.run([*KEYTURN, "daemon", "start"], env=environment, check=True, capture_output=True)
    try:
        ready_ms = []
        for _ in range(starts):
            with Front(environment) as front:
                ready_ms.append(front.ready_ms)
        with Front(environment) as front:
            front.open(URI, "python", TEXT)
            _round_trips_ms(front, min(200, requests))  # until every cache is warm
            overhead_ms = _round_trips_ms(front, requests)
    finally:
        subprocess.run([*KEYTURN, "daemon", "stop"], env=environment, capture_output=True)
    return {
        "overhead_p50_ms": percentile(overhead_ms, 50),
        "overhead_p99_ms": percentile(overhead_ms, 99),
        "front_ready_ms": round(statistics.median(ready_ms), 1),
        "daemon_accepting_ms": round(statistics.median(accepting_ms), 1),
    }


def _accepting_ms(environment: dict[str, str]) -> float:
    """From starting a daemon to its accepting a connection."""
    path = Path(environment["KEYTURN_RUNTIME_DIR"]) / "daemon.sock"
    started = time.perf_counter()
    daemon = subprocess.Popen([*KEYTURN, "daemon", "run"], env=environment)
    try:
        while True:
            with socket.socket(socket.AF_UNIX) as link:
                if link.connect_ex(str(path)) == 0:
                    return (time.perf_counter() - started) * 1e3
            if daemon.poll() is not None:
                raise click.ClickException(f"the daemon ended with {daemon.returncode}")
            time.sleep(0.001)
    finally:
        daemon.terminate()
        daemon.wait()


def _round_trips_ms(front: Front, count: int) -> list[float]:
    """Round trips less the engine's own time, by the engine's own account of it."""
    took_ms = []
    for _ in range(count):
        started = time.perf_counter()
        answer = front.call(INLINE, HERE)
        took_ms.append((time.perf_counter() - started) * 1e3)
        assert answer["result"]["items"], "the lookup engine always finds this"
    engine_ms = front.status()["latency_ms"]["engine"]["p50"]
    return [each - engine_ms for each in took_ms]


def _superseded_ms(front: Front) -> float:
    """Ask, let decoding begin, ask again: from then to the answer to the first."""
    first = front.ask(INLINE, HERE)
    time.sleep(DECODING_SECONDS)
    started = time.perf_counter()
    second = front.ask(INLINE, HERE)
    message = front.answer(first)
    took_ms = (time.perf_counter() - started) * 1e3
    if "error" not in message:
        raise click.ClickException("the model is too fast to be interrupted")
    front.send({"method": "$/cancelRequest", "params": {"id": second}})
    front.answer(second)
    return took_ms
