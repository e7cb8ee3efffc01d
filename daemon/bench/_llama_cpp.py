"""llama.cpp's server, for comparison: its `/infill` with `cache_prompt`, one token at a time."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

import click

START_SECONDS = 120.0


class LlamaServer:
    """A server process of our own, on a free port of this machine."""

    def __init__(
        self, binary: str, model: str, tokens: int, threads: int | None, cache_reuse: int
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._address = f"http://127.0.0.1:{port}"
        size = ["-c", str(tokens + 1024), "-b", str(tokens + 1024), "-np", "1"]
        count = ["-t", str(threads)] if threads else []
        reuse = ["--cache-reuse", str(cache_reuse)] if cache_reuse else []
        command = [binary, "-m", model, "--host", "127.0.0.1", "--port", str(port)]
        self._process = subprocess.Popen(
            [*command, *size, *count, *reuse],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "LlamaServer":
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self._address + "/health", timeout=5) as answer:
                    if answer.status == 200:
                        return self
            except (OSError, urllib.error.URLError):
                time.sleep(0.2)
        self.__exit__()
        raise click.ClickException("llama.cpp's server did not become ready")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def first_token(self, prefix: str, suffix: str) -> tuple[float, int]:
        """Milliseconds until the answer with one token is here, and the tokens it encoded."""
        body: dict[str, Any] = {
            "input_prefix": prefix,
            "input_suffix": suffix,
            "n_predict": 1,
            "temperature": 0.0,
            "cache_prompt": True,
        }
        request = urllib.request.Request(
            self._address + "/infill",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        started = time.perf_counter()
        with urllib.request.urlopen(request, timeout=600) as answer:
            done = json.loads(answer.read())
        took = (time.perf_counter() - started) * 1e3
        return took, int(done.get("timings", {}).get("prompt_n", 0))
