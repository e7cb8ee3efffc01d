"""Files that a server has as they are here: each is told once a moment, and before it is asked.

Of a file that is edited faster than the server is told, only the newest state is sent; what was not
told yet goes with the next question.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...api.chunk import Chunk
from ...api.request import CompletionRequest
from ...lsp.backend import TextEdit
from .errors import NotKnown, NotSent, Outdated, ServerBusy, ServerError
from .remote_file import RemoteFile
from .reply import Reply
from .team_server import MOMENT_SECONDS, TeamServer

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 2  # files that a server is told of, beside questions
MOST_TOLD = 4  # files, where a server has come back
TELL_SECONDS = 0.25  # between two edits that a server is told of one file


@dataclass(slots=True)
class Kept:
    """A file, and whether the server is being told of it."""

    file: RemoteFile
    is_behind: bool = False  # what the server has is older
    telling: asyncio.Task[None] | None = field(default=None)

    @property
    def needs_telling(self) -> bool:
        return self.is_behind or self.file.lacks_chunks


class KeptFiles:
    """Used from one event loop. `lost` is told why the server could not be told something; who asks
    is told by exceptions."""

    def __init__(self, server: TeamServer, lost: Callable[[ServerError], None]) -> None:
        self._server = server
        self._lost = lost
        self._files: dict[str, Kept] = {}  # by the server's key
        self._in_turn = asyncio.Semaphore(MOST_AT_ONCE)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.is_quiet = False  # tell nothing for now

    def __len__(self) -> int:
        return len(self._files)

    def show(self, key: str, name: str, language: str, text: str) -> None:
        """A file is this now."""
        known = self._files.get(key)
        if known is None or known.file.name != name:
            self._files[key] = Kept(RemoteFile(name, language, text))
        elif (known.file.language, known.file.text) == (language, text):
            return
        else:
            known.file.replaced(language, text)
        self.tell(key)

    def edit(self, key: str, edits: Sequence[TextEdit], text: str) -> None:
        """A file was edited, if it is kept; it is `text` now."""
        if (known := self._files.get(key)) is not None:
            known.file.edited(edits, text)
            self._used(key)
            self.tell(key)

    def surround(self, key: str, chunks: tuple[Chunk, ...]) -> None:
        """A file is to be shown this of its project."""
        if (known := self._files.get(key)) is not None:
            known.file.surrounded(chunks)
            self._begin(key, known)

    def forget(self, key: str) -> None:
        """A file was closed."""
        known = self._files.pop(key, None)
        if known is not None:
            self._spawn(self._close(key, known.telling))

    async def look(self) -> str:
        """The model that answers. Raises `ServerError`."""
        return (await self._server.about()).model

    async def close(self) -> None:
        """Nothing is told or asked any more."""
        await self._server.close()

    async def ask(self, key: str, request: CompletionRequest) -> Reply:
        """Completions in a file that was shown. Raises `ServerError`."""
        if (known := self._files.get(key)) is None:
            raise Outdated("the file was closed")
        self._used(key)
        known.is_behind = False  # the question says it all
        reply = await self._server.complete(key, known.file, replace(request, uri=""))
        self._begin(key, known)
        return reply

    def tell(self, key: str | None = None) -> None:
        """Let the server know of a file as it is now; without a key of those that were used last:
        the others go with the next question in them. Unless that is under way."""
        for each in [*self._files][: -MOST_TOLD - 1 : -1] if key is None else [key]:
            known = self._files[each]
            known.is_behind = True
            self._begin(each, known)

    def _used(self, key: str) -> None:
        self._files[key] = self._files.pop(key)  # now the last

    def _begin(self, key: str, known: Kept) -> None:
        """Tell the server what it lacks, unless that is under way."""
        if known.needs_telling and known.telling is None and not self.is_quiet:
            known.telling = self._spawn(self._telling(key, known))

    async def _telling(self, key: str, known: Kept) -> None:
        try:
            while known.needs_telling and not self.is_quiet and self._files.get(key) is known:
                is_new = not known.file.is_known
                pause = MOMENT_SECONDS if is_new else TELL_SECONDS
                tells_text = known.is_behind or is_new
                known.is_behind = False
                try:
                    async with self._in_turn:
                        if tells_text:
                            await self._server.edit(key, known.file)
                        else:
                            await self._server.surround(key, known.file)
                except NotKnown:
                    pause = MOMENT_SECONDS  # it may be somewhere, and be found in a moment
                except Outdated:
                    pause = TELL_SECONDS  # edited meanwhile, or a question was faster
                except ServerBusy as error:
                    known.is_behind = tells_text
                    pause = error.seconds
                await asyncio.sleep(pause)
        except NotSent as error:
            logger.warning("not told to the server: %s", error)  # another edit may be
        except ServerError as error:
            self._lost(error)
        finally:
            known.telling = None

    async def _close(self, key: str, telling: "asyncio.Task[None] | None") -> None:
        """After what is under way: nothing of it comes later."""
        if telling is not None:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        if self.is_quiet:
            return
        try:
            await self._server.close_file(key)
        except ServerError:
            return  # it forgets by itself

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself does not hold it
        task.add_done_callback(self._tasks.discard)
        return task
