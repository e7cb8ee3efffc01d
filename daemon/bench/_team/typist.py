"""One user of a server: types stretches of a file again, and asks at every pause, at fixed times
whatever the server does (open loop).
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from ....api.request import CompletionOptions, CompletionRequest
from ....lsp.backend import TextEdit
from ...remote.errors import ServerError
from ...remote.kept_files import KeptFiles
from ...remote.messages import key_of
from ...remote.team_server import TeamServer
from .._typing.strokes import Gaps

KEY_SECONDS = (0.08, 0.25)  # between two keys
PAUSE_SECONDS = (0.5, 2.0)  # after a burst of them: long enough to look at a suggestion
OPTIONS = CompletionOptions(deadline_ms=10_000)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and its answer: `texts` is None where none came."""

    user: str
    before: str
    after: str
    at: float  # time.monotonic()
    took_ms: float
    texts: tuple[str, ...] | None
    engine_ms: float = 0.0
    replica: str = ""
    error: str = ""


class Typist:
    """Owns one file of one user."""

    def __init__(self, user: str, name: str, text: str, url: str, token: str, seed: int) -> None:
        self._user = user
        self._name = name
        self._draw = Random(seed)
        self._gaps = Gaps(text, max(1, len(text) // 4_000), self._draw)
        self._server = TeamServer(url, token)
        self._files = KeptFiles(self._server, self._missed)
        self._key = key_of(user, name)
        self._text = ""
        self.asked: list[Asked] = []
        self.missed: list[str] = []  # why the server could not be told of an edit

    async def type_until(self, end: float) -> None:
        """Until `time.monotonic()` is `end` and every question has been answered."""
        questions: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            at = time.monotonic()
            while at < end:
                paused = True
                for before, after, pauses in self._strokes():
                    at += self._draw.uniform(*(PAUSE_SECONDS if paused else KEY_SECONDS))
                    paused = pauses
                    if at >= end:
                        break
                    await asyncio.sleep(max(0.0, at - time.monotonic()))
                    self._write(before, after)
                    if pauses:
                        questions.add(group.create_task(self._ask(before, after)))

    async def close(self) -> None:
        await self._server.close()

    def _strokes(self) -> Iterator[tuple[str, str, bool]]:
        """What stands before and behind the cursor after each key, and whether a pause follows."""
        for stretch in range(len(self._gaps.typed)):
            for pause in self._gaps.pauses(stretch):
                start = len(pause.before) - sum(map(len, pause.keys))
                after = "\n" + pause.after if pause.after else ""
                for number, key in enumerate(pause.keys):
                    start += len(key)
                    yield pause.before[:start], after, number == len(pause.keys) - 1

    def _write(self, before: str, after: str) -> None:
        """As an editor would: one edit where the text only grew at the cursor."""
        text, old = before + after, self._text
        self._text = text
        grown = len(text) - len(old)
        at = len(before) - grown
        if old and grown >= 0 and at >= 0 and old == text[:at] + after:
            self._files.edit(self._key, [TextEdit(at, at, before[at:])], text)
        else:
            self._files.show(self._key, self._name, "python", text)

    async def _ask(self, before: str, after: str) -> None:
        request = CompletionRequest("", 0, len(before), options=OPTIONS)
        at = time.monotonic()
        try:
            found = await self._files.ask(self._key, request)
        except ServerError as error:
            took_ms = (time.monotonic() - at) * 1e3
            why = f"{type(error).__name__}: {error}"
            self.asked.append(Asked(self._user, before, after, at, took_ms, None, error=why))
            return
        took_ms = (time.monotonic() - at) * 1e3
        texts = tuple(each.text for each in found.completions)
        engine_ms = found.completions[0].meta.total_ms if found.completions else 0.0
        self.asked.append(
            Asked(self._user, before, after, at, took_ms, texts, engine_ms, found.replica)
        )

    def _missed(self, error: ServerError) -> None:
        self.missed.append(str(error))
