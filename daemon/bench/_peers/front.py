"""The plainest of editors: a `keyturn lsp` process, and what is said to it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KEYTURN = (sys.executable, "-m", "keyturn.daemon")
LOOK_SECONDS = 0.1


def environment(folder: Path, model: str) -> dict[str, str]:
    """A daemon's own world: its socket, its log, no configuration."""
    return {
        **os.environ,
        "KEYTURN_RUNTIME_DIR": str(folder / "run"),
        "KEYTURN_STATE_DIR": str(folder / "state"),
        "KEYTURN_CONFIG_DIR": str(folder / "config"),
        "KEYTURN_MODEL_NAME": model,
    }


class Front:
    """`Front(environment)` is ready to open documents. `ready_ms`: what that took."""

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
        self.call("initialize", {"processId": None, "capabilities": capabilities})
        self.ready_ms = (time.perf_counter() - started) * 1e3
        self.send({"method": "initialized", "params": {}})

    def __enter__(self) -> "Front":
        return self

    def __exit__(self, *_: object) -> None:
        self._in.close()
        self._process.wait()
        self._out.close()

    def open(self, uri: str, language: str, text: str) -> None:
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.send({"method": "textDocument/didOpen", "params": {"textDocument": item}})

    def close(self, uri: str) -> None:
        self.send({"method": "textDocument/didClose", "params": {"textDocument": {"uri": uri}}})

    def status(self) -> dict[str, Any]:
        return self.execute("keyturn.showStatus")

    def wait_until_ready(self, settled: bool = False) -> None:
        """Until the model is loaded; `settled`: and its kernels are packed."""
        while True:
            status = self.status()
            waiting = status.get("engine", {}).get("kernels_to_pack", 0) if settled else 0
            if status["phase"] == "ready" and not waiting:
                return
            time.sleep(LOOK_SECONDS)

    def execute(self, command: str, *arguments: Any) -> Any:
        params = {"command": command, "arguments": list(arguments)}
        return self.call("workspace/executeCommand", params)["result"]

    def ask(self, method: str, params: dict[str, Any]) -> int:
        """Send a request; its number."""
        self._number += 1
        self.send({"id": self._number, "method": method, "params": params})
        return self._number

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the answer to a request."""
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                return message

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        return self.answer(self.ask(method, params))

    def send(self, message: dict[str, Any]) -> None:
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
