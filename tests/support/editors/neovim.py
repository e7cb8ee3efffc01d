"""A real Neovim as a process, spoken to over its own msgpack-RPC socket."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack

from support.editors.editor import keyturn
from support.until import until

# KEYTURN_TEST_NVIM chooses another one, older or newer than the package that tests depend on.
NVIM = shutil.which(
    os.environ.get("KEYTURN_TEST_NVIM", "nvim"),
    path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
)
REPOSITORY = Path(__file__).parents[3]
PATIENCE_SECONDS = 60.0


class Neovim:
    """One window on one file, with the plugin set up by `setup` (Lua; CMD is the server)."""

    def __init__(self, environ: dict[str, str], file: Path, setup: str) -> None:
        path = file.with_name("nvim.sock")
        arguments = [str(NVIM), "--headless", "--listen", str(path), "-n", "-u", "NONE"]
        arguments += ["-i", "NONE", "--cmd", f"set runtimepath^={REPOSITORY}", str(file)]
        self.process = subprocess.Popen(
            arguments, env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._socket = socket.socket(socket.AF_UNIX)
        self._unpacker = msgpack.Unpacker(raw=False, strict_map_key=False)
        self._numbers = itertools.count(1)
        self.wait(lambda: path.exists() and self._socket.connect_ex(str(path)) == 0)
        command = "{" + ", ".join(json.dumps(word) for word in keyturn("lsp")) + "}"
        self.lua(setup.replace("CMD", command))
        self.wait(lambda: self.lua("return require('keyturn').client(0) ~= nil"))

    def __enter__(self) -> "Neovim":
        return self

    def __exit__(self, *_: object) -> None:
        self._send("nvim_command", ["qall!"])
        self.process.wait(timeout=60)
        self._socket.close()

    def call(self, method: str, *arguments: Any) -> Any:
        number = self._send(method, list(arguments))
        while True:
            for message in self._unpacker:
                if message[0] == 1 and message[1] == number:
                    assert message[2] is None, message[2]
                    return message[3]
            self._unpacker.feed(self._socket.recv(1 << 16))

    def _send(self, method: str, arguments: list[Any]) -> int:
        number = next(self._numbers)
        data = msgpack.packb([0, number, method, arguments])
        assert data is not None
        self._socket.sendall(data)
        return number

    def lua(self, code: str) -> Any:
        return self.call("nvim_exec_lua", code, [])

    def type(self, keys: str) -> None:
        """As a user does: key by key, the editor catching up in between."""
        for key in keys:
            self.press("<lt>" if key == "<" else key)

    def press(self, keys: str) -> None:
        self.call("nvim_input", keys)
        self.call("nvim_eval", "1")

    @property
    def lines(self) -> list[str]:
        return self.call("nvim_buf_get_lines", 0, 0, -1, False)

    @property
    def cursor(self) -> tuple[int, int]:
        """Line from 1, column in bytes from 0."""
        line, column = self.call("nvim_win_get_cursor", 0)
        return line, column

    def ghost(self) -> str | None:
        return self.lua("return require('keyturn.ghost').text()")

    def messages(self) -> str:
        """What has been said to the user."""
        return self.call("nvim_exec2", "messages", {"output": True})["output"]

    def has(self, feature: str) -> bool:
        return bool(self.call("nvim_call_function", "has", [feature]))

    def drawn(self, namespace: str = "keyturn") -> list[str]:
        """The virtual text on the screen, line by line."""
        marks = self.lua(
            f"local space = vim.api.nvim_get_namespaces()['{namespace}'];"
            " return space and"
            " vim.api.nvim_buf_get_extmarks(0, space, 0, -1, {details = true}) or {}"
        )
        found: list[str] = []
        for *_, details in marks:
            found.append("".join(part[0] for part in details.get("virt_text", [])))
            found += ["".join(part[0] for part in line) for line in details.get("virt_lines", [])]
        return found

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until `condition` is true; what it gave."""

        def alive() -> Any:
            assert self.process.poll() is None, "Neovim has gone"
            return condition()

        return until(alive, lambda: self.lines, PATIENCE_SECONDS)
