"""The cost of the service on top of the engine: editor pipe → front → daemon → front → pipe.

The engine is `lookup`, which answers in microseconds, and the time that it reports is taken off
each round trip. Everything runs in a folder of its own, beside any daemon of the user's.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from ..server.metrics import percentile
from . import _options

URI = "file:///bench.py"
TEXT = "value = compute(first, second)\n" * 40 + "value"
HERE = {
    "textDocument": {"uri": URI},
    "position": {"line": TEXT.count("\n"), "character": len("value")},
    "context": {"triggerKind": 1},  # invoked: past the front's own cache
}
DECODING_SECONDS = 0.03  # long enough to have begun, too short for candidates to be done
KEYTURN = (sys.executable, "-m", "keyturn.daemon")


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
    with tempfile.TemporaryDirectory(prefix="keyturn-") as folder:
        figures = _measure(_environment(Path(folder) / "lookup", "lookup"), requests, starts)
        if model:
            environment = _environment(Path(folder) / "model", model)
            environment |= {"KEYTURN_MODEL_DEVICE": device, "KEYTURN_MODEL_DTYPE": dtype}
            environment |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
            figures |= _cancelling(environment)
    if as_json:
        click.echo(json.dumps({"bench": "lsp", "requests": requests, "figures": figures}))
        return
    for name, value in figures.items():
        click.echo(f"{name:<22} {value:8.2f}")


def _environment(folder: Path, model: str) -> dict[str, str]:
    """A daemon's own world: its socket, its log, no configuration."""
    return {
        **os.environ,
        "KEYTURN_RUNTIME_DIR": str(folder / "run"),
        "KEYTURN_STATE_DIR": str(folder / "state"),
        "KEYTURN_CONFIG_DIR": str(folder / "config"),
        "KEYTURN_MODEL_NAME": model,
    }


def _cancelling(environment: dict[str, str], times: int = 50) -> dict[str, float | None]:
    """How long a request that is being decoded takes to be answered once a newer one is there."""
    subprocess.run([*KEYTURN, "daemon", "start"], env=environment, check=True, capture_output=True)
    try:
        with Front(environment) as front:
            front.open()
            front.wait_until_ready()
            took_ms = [front.superseded_ms() for _ in range(times)]
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
            front.open()
            front.round_trips_ms(min(200, requests))  # until every cache is warm
            overhead_ms = front.round_trips_ms(requests)
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


class Front:
    """A `keyturn lsp` process and the plainest of editors."""

    def __init__(self, environment: dict[str, str]) -> None:
        started = time.perf_counter()
        self._process = subprocess.Popen(
            [*KEYTURN, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._number = 0
        capabilities = {"textDocument": {"inlineCompletion": {}}}
        self._call("initialize", {"processId": None, "capabilities": capabilities})
        self.ready_ms = (time.perf_counter() - started) * 1e3
        self._send({"method": "initialized", "params": {}})

    def __enter__(self) -> "Front":
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._process.wait()
        self._out.close()

    def open(self) -> None:
        item = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": item}})

    def round_trips_ms(self, count: int) -> list[float]:
        """Round trips less the engine's own time, by the engine's own account of it."""
        took_ms = []
        for _ in range(count):
            started = time.perf_counter()
            answer = self._call("textDocument/inlineCompletion", HERE)
            took_ms.append((time.perf_counter() - started) * 1e3)
            assert answer["result"]["items"], "the lookup engine always finds this"
        engine_ms = self._engine_ms()
        return [each - engine_ms for each in took_ms]

    def wait_until_ready(self) -> None:
        """Until the model is loaded."""
        while self._status()["phase"] != "ready":
            time.sleep(0.1)

    def superseded_ms(self) -> float:
        """Ask, let decoding begin, ask again: from then to the answer to the first."""
        self._number += 1
        first = self._number
        request = {"method": "textDocument/inlineCompletion", "params": HERE}
        self._send({"id": first, **request})
        time.sleep(DECODING_SECONDS)
        self._number += 1
        started = time.perf_counter()
        self._send({"id": self._number, **request})
        while (message := self._receive()).get("id") != first:
            pass
        took_ms = (time.perf_counter() - started) * 1e3
        if "error" not in message:
            raise click.ClickException("the model is too fast to be interrupted")
        self._send({"method": "$/cancelRequest", "params": {"id": self._number}})
        while self._receive().get("id") != self._number:
            pass
        return took_ms

    def _status(self) -> dict[str, Any]:
        params = {"command": "keyturn.showStatus", "arguments": []}
        return self._call("workspace/executeCommand", params)["result"]

    def _engine_ms(self) -> float:
        return self._status()["latency_ms"]["engine"]["p50"]

    def _call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == self._number and "method" not in message:
                return message

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._in.flush()

    def _receive(self) -> dict[str, Any]:
        length = 0
        while line := self._out.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return json.loads(self._out.read(length))
