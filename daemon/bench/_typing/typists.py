"""Who suggests while somebody types: keyturn through its language server, and llama.cpp's server as
llama.vim asks it."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._peers.front import Front
from .._peers.llama_cpp import LlamaServer
from .strokes import Pause

AUTOMATIC = 2  # the editor asks, not the user
KEY_SECONDS = 0.06  # between two keys of a burst
LINES_BEFORE, LINES_AFTER = 256, 64  # what llama.vim sends of a file
LLAMA_VIM = {
    "n_predict": 128,
    "top_k": 40,
    "top_p": 0.9,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 250,
    "stream": False,
    "seed": 1,
}  # its first question at a place; more is asked once that is shown


@dataclass(frozen=True, slots=True)
class Shown:
    """What a pause brought. `known`: nobody was asked, what had been suggested before was typed."""

    ms: float
    text: str
    known: bool


class Keyturn:
    """One file that is typed into."""

    def __init__(self, front: Front, path: Path, language: str, text: str) -> None:
        self._front = front
        self._uri = path.as_uri()
        self._version = 1
        front.open(self._uri, language, text)

    def close(self) -> None:
        self._front.close(self._uri)

    def pause(self, pause: Pause) -> Shown:
        """Type the keys, and ask. Milliseconds count from the last key."""
        before = pause.before[: len(pause.before) - sum(map(len, pause.keys))]
        started = 0.0
        for number, key in enumerate(pause.keys):
            if number:
                time.sleep(KEY_SECONDS)
            started = time.perf_counter()
            self._type(before, key)
            before += key
        place = _position(before)
        asked = {
            "textDocument": {"uri": self._uri},
            "position": place,
            "context": {"triggerKind": AUTOMATIC},
        }
        answer = self._front.call("textDocument/inlineCompletion", asked)
        ms = (time.perf_counter() - started) * 1e3
        found = answer.get("result") or {}
        items = found["items"] if isinstance(found, dict) and found else found
        why = self._front.execute("keyturn.why", self._uri) if items else None
        text = _behind(items[0], place) if items else ""
        return Shown(ms, text, bool(why and why["known"]))

    def _type(self, before: str, key: str) -> None:
        self._version += 1
        place = _position(before)
        change = {"range": {"start": place, "end": place}, "text": key}
        document = {"uri": self._uri, "version": self._version}
        params = {"textDocument": document, "contentChanges": [change]}
        self._front.send({"method": "textDocument/didChange", "params": params})


class LlamaVim:
    """The same, by the server alone: keys cost nothing."""

    def __init__(self, server: LlamaServer) -> None:
        self._server = server
        self._last: tuple[str, str] = ("", "")  # the text before the cursor, and what came

    def pause(self, pause: Pause) -> Shown:
        """`known`: llama.vim has it from before; the server is asked all the same."""
        before, said = self._last
        since = pause.before[len(before) :] if pause.before.startswith(before) else ""
        known = bool(since) and said.startswith(since) and len(said) > len(since)
        *above, line = pause.before.split("\n")
        end_of_line, *below = pause.after.split("\n")
        body: dict[str, Any] = {
            **LLAMA_VIM,
            "input_prefix": "".join(f"{each}\n" for each in above[-LINES_BEFORE:]),
            "prompt": line,
            "input_suffix": "\n".join([end_of_line, *below[:LINES_AFTER], ""]),
            "n_indent": len(line) - len(line.lstrip()),
        }
        started = time.perf_counter()
        content = self._server.infill(body)
        ms = (time.perf_counter() - started) * 1e3
        if not known:
            self._last = (pause.before, content)
        return Shown(ms, content, known)


class Resting:
    """A process that does nothing meanwhile."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


def _position(before: str) -> dict[str, int]:
    """Of the end of a text, whose last line is ASCII."""
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


def _behind(item: dict[str, Any], place: dict[str, int]) -> str:
    """What an item puts behind the cursor."""
    text: str = item["insertText"]
    start = item.get("range", {}).get("start", place)
    return text[place["character"] - start["character"] :]
