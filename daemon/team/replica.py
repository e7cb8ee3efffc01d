"""One replica of the engine, as Ray Serve starts, checks and stops it.

Serve keeps as many files as `MOST_FILES` in a replica and forgets the one used longest ago
(`serve.multiplexed`); it routes what is asked of a file to a replica that has it.
"""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from typing import Any
from weakref import WeakValueDictionary

from ray import serve

from ...cache.errors import KeyturnError
from ..config import options_in
from ..engines.make_engine import engine_maker
from ..remote.messages import (
    CHUNKS_HEADER,
    REPLICA_HEADER,
    WIRE,
    About,
    Answered,
    Ask,
    BadMessage,
    FileState,
    Surroundings,
    Whole,
    pack,
    unpack,
)
from .answer import Answer, failed
from .host import EngineFailed, Host, HostedFile, NotLoaded, Overdue, Overtaken, UnknownFile
from .measures import Measures
from .settings import MOST_FILES, ServerSettings

logger = logging.getLogger("ray.serve")

LOOK_SECONDS = 60.0  # between looks for files that nobody asks about any more
STATUS: dict[type[KeyturnError], int] = {
    BadMessage: 400,
    UnknownFile: 409,
    Overtaken: 410,
    EngineFailed: 500,
    NotLoaded: 503,
    Overdue: 504,
}


class Replica:
    """Answers for files; users are told apart before."""

    async def __init__(self, settings: dict[str, Any]) -> None:
        """Returns once the model is loaded: until then Serve sends nothing here. Raises
        `NotLoaded`, which Serve shows and tries again."""
        self._settings = ServerSettings.of(settings)
        self._host = Host(engine_maker(lambda: self._settings.model, options_in, is_host=True))
        self._files = WeakValueDictionary[str, HostedFile]()  # those that Serve keeps
        self._measures = Measures()
        self._name = serve.get_replica_context().replica_id.unique_id
        await self._host.ready()
        self._forgetting = asyncio.get_running_loop().create_task(self._forget())

    async def edit(self, user: str, body: bytes, encoding: str | None) -> Answer:
        """Have the file as it is now, and its cache ready."""
        try:
            state: FileState = unpack(body, encoding, FileState)
            file = await self._found(state)
            file.follow(state)
        except KeyturnError as error:
            return _refused(error)
        return Answer(204, headers={CHUNKS_HEADER: file.chunks})

    async def surround(self, user: str, body: bytes, encoding: str | None) -> Answer:
        """Show the file these chunks of its project."""
        try:
            surroundings: Surroundings = unpack(body, encoding, Surroundings)
            file = await self._known()
            file.surround(surroundings)
        except KeyturnError as error:
            return _refused(error)
        return Answer(204, headers={CHUNKS_HEADER: file.chunks})

    async def complete(self, user: str, body: bytes, encoding: str | None) -> Answer:
        """Completions in the file."""
        try:
            ask: Ask = unpack(body, encoding, Ask)
            file = await self._found(ask.state)
            found = await file.complete(ask)
        except KeyturnError as error:
            self._measures.failed(type(error).__name__)
            return _refused(error)
        self._measures.answered(found)
        packed, headers = pack(Answered(found))
        where = {REPLICA_HEADER: self._name, CHUNKS_HEADER: file.chunks}
        return Answer(200, packed, {**headers, **where})

    async def close(self, user: str) -> Answer:
        """Forget the file."""
        with suppress(KeyError):
            self._files[serve.get_multiplexed_model_id()].close()
        return Answer(204)

    async def about(self) -> dict[str, Any]:
        """Who answers. Raises `NotLoaded`."""
        self._host.check()
        return asdict(About(WIRE, version("keyturn"), self._host.state.model))

    async def check_health(self) -> None:
        """Serve starts another replica in place of one where this raises."""
        self._host.check()

    @serve.multiplexed(max_num_models_per_replica=MOST_FILES)
    async def _file(self, key: str) -> HostedFile:
        """The file of that key, as its user's."""
        user, _, _ = key.rpartition("/")
        file = self._files[key] = self._host.file(user)
        return file

    async def _found(self, state: FileState) -> HostedFile:
        """The file that is meant. One that is not here is not taken in for an edit: Serve would
        send here what belongs to the replica that has it. Raises `UnknownFile`."""
        if not isinstance(state.change, Whole):
            return await self._known()
        find: Any = self._file  # Serve's types are its own
        return await find(serve.get_multiplexed_model_id())

    async def _known(self) -> HostedFile:
        """The file that is meant, if it is here. Raises `UnknownFile`."""
        key = serve.get_multiplexed_model_id()
        if key not in self._files:
            raise UnknownFile("the file is not known: send it whole")
        find: Any = self._file
        return await find(key)

    async def _forget(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before = time.monotonic() - self._settings.forget_minutes * 60
            for file in list(self._files.values()):
                if file.used < before:
                    file.close()

    def __del__(self) -> None:
        if hasattr(self, "_host"):
            self._host.close()


def _refused(error: KeyturnError) -> Answer:
    return failed(STATUS.get(type(error), 500), str(error))
