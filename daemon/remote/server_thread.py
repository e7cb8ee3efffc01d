"""The thread that talks to a team's server, and knows whether asking is any use.

What is called here from other threads takes effect in the order of the calls and never waits.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from ...api.chunk import Chunk
from ...api.report import Completion
from ...api.request import CompletionRequest
from ...cache.errors import KeyturnError
from ...lsp.backend import TextEdit
from .errors import NotSent, Outdated, ServerBusy, ServerError, ServerRefuses
from .patience import Patience
from .reply import Reply

logger = logging.getLogger(__name__)

JOIN_SECONDS = 3.0


class Files(Protocol):
    """Files that a server can be asked about."""

    is_quiet: bool  # it is told nothing for now

    def show(self, key: str, name: str, language: str, text: str) -> None: ...

    def edit(self, key: str, edits: Sequence[TextEdit], text: str) -> None: ...

    def surround(self, key: str, chunks: tuple[Chunk, ...]) -> None: ...

    def forget(self, key: str) -> None: ...

    def tell(self) -> None: ...

    async def look(self) -> str: ...

    async def ask(self, key: str, request: CompletionRequest) -> Reply: ...

    async def close(self) -> None: ...


class Unmade:
    """`Files` of a server that nobody can ask from here, and why."""

    def __init__(self, why: str) -> None:
        self._why = why
        self.is_quiet = True

    def show(self, key: str, name: str, language: str, text: str) -> None:
        """Nobody is told."""

    def edit(self, key: str, edits: Sequence[TextEdit], text: str) -> None:
        """Nobody is told."""

    def surround(self, key: str, chunks: tuple[Chunk, ...]) -> None:
        """Nobody is told."""

    def forget(self, key: str) -> None:
        """Nobody knows it."""

    def tell(self) -> None:
        """Nobody is told."""

    async def look(self) -> str:
        raise ServerRefuses(self._why)

    async def ask(self, key: str, request: CompletionRequest) -> Reply:
        raise ServerRefuses(self._why)

    async def close(self) -> None:
        """There is nothing to close."""


MakeFiles = Callable[[Callable[[ServerError], None]], Files]  # given whom to tell of a loss


class ServerThread(threading.Thread):
    """`changed` is called from this thread whenever `problem` does."""

    def __init__(self, name: str, make: MakeFiles, changed: Callable[[], None]) -> None:
        """`name`: of the server."""
        super().__init__(name="server", daemon=True)
        self.problem = ""  # why the server is not asked; empty: it is
        self.model = ""  # that it answers with, once that is known
        self.patience = Patience()
        self._name = name
        self._make = make
        self._changed = changed
        self._loop = asyncio.new_event_loop()
        self._busy_until = 0.0
        self._is_refused = False

    # region From any thread
    @property
    def is_available(self) -> bool:
        """Whether asking is any use."""
        return not self.problem and time.monotonic() >= self._busy_until

    def show(self, key: str, name: str, language: str, text: str) -> None:
        """A file is this now."""
        self._do(lambda: self._files.show(key, name, language, text))

    def edit(self, key: str, edits: Sequence[TextEdit], text: str) -> None:
        """A file was edited, if it is known; it is `text` now."""
        self._do(lambda: self._files.edit(key, edits, text))

    def surround(self, key: str, chunks: tuple[Chunk, ...]) -> None:
        """A file is to be shown this of its project."""
        self._do(lambda: self._files.surround(key, chunks))

    def forget(self, key: str) -> None:
        """A file was closed."""
        self._do(lambda: self._files.forget(key))

    def ask(self, key: str, request: CompletionRequest) -> "Future[tuple[Completion, ...]]":
        """Completions in a file that was shown. Raises `ServerError`; cancelling stops the work."""
        return asyncio.run_coroutine_threadsafe(self._ask(key, request), self._loop)

    def is_slow(self, waited: float) -> None:
        """An answer was not waited for any longer, after so many seconds."""
        self._do(self._slow, waited)

    def stop(self) -> None:
        """End, whatever is under way."""
        self._do(self._loop.stop)
        self.join(JOIN_SECONDS)

    def status(self) -> dict[str, Any]:
        return {
            "url": self._name,
            "available": self.is_available,
            "problem": self.problem,
            "model": self.model,
            "waits_ms": round(self.patience.seconds * 1e3),
        }

    # endregion
    # region The thread
    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._files = self._made()
        self._probing = self._loop.create_task(self._probe(0.0))
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._end())
            self._loop.close()

    def _made(self) -> Files:
        """As the environment, the token and the address are by now."""
        try:
            return self._make(self._lost)
        except Exception as error:  # also what is said of proxies and certificates
            return Unmade(f"cannot be asked from here: {error}")

    async def _end(self) -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._files.close()

    def _do(self, call: Callable[..., Any], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            logger.debug("the thread that talks to the server has ended")

    async def _ask(self, key: str, request: CompletionRequest) -> tuple[Completion, ...]:
        started = time.monotonic()
        try:
            found = await self._files.ask(key, request)
        except ServerBusy as error:
            self._busy_until = time.monotonic() + error.seconds
            raise
        except (Outdated, NotSent):
            raise
        except ServerError as error:
            self._lost(error)
            raise
        except Exception as error:  # whatever a server can say
            raise self._bewildered(error) from error
        self.patience.answered(time.monotonic() - started)
        self.patience.in_time()
        if found.completions:
            self.model = found.completions[0].meta.model or self.model
        return found.completions

    def _bewildered(self, error: Exception) -> ServerError:
        """It said what nobody expects of a server of its kind."""
        if not isinstance(error, KeyturnError):
            logger.exception("the server at %s", self._name)
        said = str(error) if isinstance(error, KeyturnError) else type(error).__name__
        refuses = ServerRefuses(f"says what nobody understands ({said}): look at the address")
        self._lost(refuses)
        return refuses

    def _slow(self, waited: float) -> None:
        self.patience.answered(waited)
        if self.patience.waited():
            self._lost(ServerError("is slow"))

    def _lost(self, error: ServerError) -> None:
        """The server is left alone for a while."""
        self._is_refused = isinstance(error, ServerRefuses)
        if self.problem != str(error):
            self.problem = str(error)
            logger.warning("the server at %s %s", self._name, error)
            self._changed()
        self._files.is_quiet = True
        if self._probing.done():
            self._probing = self._loop.create_task(self._probe(self.patience.rest()))

    async def _probe(self, after_seconds: float) -> None:
        """Look until it answers."""
        await asyncio.sleep(after_seconds)
        await self._look()
        while self.problem:
            await asyncio.sleep(self.patience.rest())
            await self._look()

    async def _look(self) -> None:
        """See who it is, and tell it of files if it was away. What it refused, a token say, may be
        another one by now."""
        if self._is_refused:
            await self._files.close()
            self._files = self._made()
            self._files.is_quiet = True
        try:
            model = await self._files.look()
        except ServerBusy:
            return
        except ServerError as error:
            self._lost(error)
            return
        except Exception as error:  # whatever a server can say
            self._bewildered(error)
            return
        was_away, self.problem, self.model = self.problem, "", model
        self._is_refused = False
        if was_away:
            logger.info("the server at %s answers again", self._name)
        self._changed()
        self._files.is_quiet = False
        self._files.tell()

    # endregion
