"""llama.cpp's server, for comparison: how fast it decodes, how soon it answers after an edit."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

START_SECONDS = 120.0
ANSWER_SECONDS = 600.0


class LlamaServer:
    """A server process of our own, on a free port of this machine."""

    def __init__(
        self,
        binary: Path,
        model: Path,
        tokens: int,
        threads: int = 0,
        cache_reuse: int = 0,
        more: Sequence[str] = (),
    ) -> None:
        """`more`: arguments for the server."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        size = ["-c", str(tokens), "-b", str(tokens), "-np", "1"]
        count = ["-t", str(threads)] if threads else []
        reuse = ["--cache-reuse", str(cache_reuse)] if cache_reuse else []
        command = [str(binary), "-m", str(model), "--host", "127.0.0.1", "--port", str(port)]
        self._process = subprocess.Popen(
            [*command, *size, *count, *reuse, *more],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "LlamaServer":
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urllib.request.urlopen(self.address + "/health", timeout=5) as answer:
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
        """Milliseconds until the answer of `/infill` with one token is here, and the tokens that
        it encoded."""
        body = {
            "input_prefix": prefix,
            "input_suffix": suffix,
            "n_predict": 1,
            "temperature": 0.0,
            "cache_prompt": True,
        }
        started = time.perf_counter()
        done = self._post("/infill", body)
        took = (time.perf_counter() - started) * 1e3
        return took, int(done.get("timings", {}).get("prompt_n", 0))

    def infill(self, body: dict[str, Any]) -> str:
        """What `/infill` answers."""
        return str(self._post("/infill", body).get("content", ""))

    def tokens_per_second(self, prompt: list[int], new_tokens: int) -> tuple[float, float]:
        """Of the prompt and of decoding, greedily, by its own account."""
        body = {
            "prompt": prompt,
            "n_predict": new_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "cache_prompt": False,
        }
        timings = self._post("/completion", body)["timings"]
        return timings["prompt_per_second"], timings["predicted_per_second"]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            self.address + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return json.loads(answer.read())
