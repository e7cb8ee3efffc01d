"""A user who asks as fast as he can, without a thought for the others."""

import asyncio
import time

from ....api.request import CompletionRequest
from ...remote.errors import ServerBusy, ServerError
from ...remote.messages import key_of
from ...remote.remote_file import RemoteFile
from ...remote.team_server import TeamServer

AT_ONCE = 16


class Flood:
    """Counts what became of it."""

    def __init__(self, url: str, token: str, text: str) -> None:
        self._server = TeamServer(url, token)
        self._text = text
        self.answered = 0
        self.refused = 0

    async def pour_until(self, end: float) -> None:
        """Questions in many files at once, each as soon as the one before is over."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._ask_until(end, number))
        await self._server.close()

    async def _ask_until(self, end: float, number: int) -> None:
        key, file = key_of("flood", str(number)), RemoteFile("flood.py", "python", self._text)
        while time.monotonic() < end:
            file.replaced("python", self._text + f"\n# {number} {time.monotonic()}\n")
            try:
                await self._server.complete(key, file, CompletionRequest("", 0, len(self._text)))
                self.answered += 1
            except ServerBusy:
                self.refused += 1  # and asks again at once, which nobody should
            except ServerError:
                await asyncio.sleep(0.1)
