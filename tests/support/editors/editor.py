"""An editor as a process sees it: `keyturn lsp` on two pipes, spoken to in JSON-RPC."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

URI = "file:///demo/a.py"


def environment(folder: Path, model: str = "lookup", **more: str) -> dict[str, str]:
    """The environment of processes that keep to `folder` and load `model`."""
    return {
        **os.environ,
        "KEYTURN_RUNTIME_DIR": str(folder / "run"),
        "KEYTURN_STATE_DIR": str(folder / "state"),
        "KEYTURN_CONFIG_DIR": str(folder / "config"),
        "KEYTURN_MODEL_NAME": model,
        "OMP_NUM_THREADS": "1",
        **more,
    }


def keyturn(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "keyturn.daemon", *arguments]


class Editor:
    """One front process with one document open."""

    def __init__(
        self,
        environ: dict[str, str],
        *arguments: str,
        workspace: Path | None = None,
        folders: tuple[Path, ...] = (),
        uri: str = URI,
        preexec: Callable[[], None] | None = None,
        experimental: dict[str, Any] | None = None,
    ) -> None:
        self.uri = uri
        self._experimental = experimental
        self._root = None if workspace is None else workspace.as_uri()
        self._folders = [{"uri": each.as_uri(), "name": each.name} for each in folders]
        self.process = subprocess.Popen(
            keyturn("lsp", *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environ,
            preexec_fn=preexec,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in, self._out = self.process.stdin, self.process.stdout
        self._id = 0
        self.text = ""
        self.version = 0
        self.notes: list[dict[str, Any]] = []

    def __enter__(self) -> "Editor":
        capabilities: dict[str, Any] = {
            "general": {"positionEncodings": ["utf-32"]},
            "textDocument": {"inlineCompletion": {}},
        }
        if self._experimental is not None:
            capabilities["experimental"] = self._experimental
        params: dict[str, Any] = {"processId": None, "capabilities": capabilities}
        params |= {"rootUri": self._root, "workspaceFolders": self._folders or None}
        self.call("initialize", params)
        self.notify("initialized", {})
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self._in.close()
            self.process.wait(timeout=120)
        self._in.close()
        self._out.close()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    # region The document
    def open(self, text: str, language: str = "python") -> None:
        self.text, self.version = text, 1
        item = {"uri": self.uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def replace(self, start: int, end: int, text: str) -> None:
        self.version += 1
        where = {"start": self.position(start), "end": self.position(end)}
        self.text = self.text[:start] + text + self.text[end:]
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self.version},
                "contentChanges": [{"range": where, "text": text}],
            },
        )

    def position(self, offset: int) -> dict[str, int]:
        before = self.text[:offset]
        return {"line": before.count("\n"), "character": offset - before.rfind("\n") - 1}

    def ask(self, offset: int, invoked: bool = True) -> list[str]:
        """The suggestions at `offset`; empty also when the request was cancelled."""
        return self.end(self.begin(offset, invoked))

    def begin(self, offset: int, invoked: bool = True) -> int:
        """Ask, and do not wait: `end` does, with what is returned."""
        params = {
            "textDocument": {"uri": self.uri},
            "position": self.position(offset),
            "context": {"triggerKind": 1 if invoked else 2},
        }
        return self._request("textDocument/inlineCompletion", params)

    def end(self, request: int) -> list[str]:
        answer = self._answer(request)
        items = (answer.get("result") or {}).get("items", [])
        return [item["insertText"] for item in items]

    def status(self) -> dict[str, Any]:
        arguments = {"command": "keyturn.showStatus", "arguments": []}
        return self.call("workspace/executeCommand", arguments)["result"]

    # endregion
    # region JSON-RPC
    def call(self, method: str, params: Any) -> dict[str, Any]:
        return self._answer(self._request(method, params))

    def _request(self, method: str, params: Any) -> int:
        self._id += 1
        self._send({"id": self._id, "method": method, "params": params})
        return self._id

    def _answer(self, number: int) -> dict[str, Any]:
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                return message
            self.notes.append(message)

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

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
        if not length:
            raise EOFError("the front has gone")
        return json.loads(self._out.read(length))

    # endregion
