"""One connection to a daemon: requests out, each answered once, whatever becomes of the daemon."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from ...lsp.backend import BackendError, BackendState, Phase, StatusQuery, Superseded
from .. import protocol
from ..protocol import ProtocolError, Why

MAX_UNREAD_BYTES = 64 * 1024 * 1024  # a daemon that reads nothing any more is gone
SILENCE_SECONDS = 10.0  # before a daemon is asked whether it is there, and then before it is not
Numbered = Callable[[int], protocol.FromClient]  # a request, given its number


class LinkLost(BackendError):
    """The daemon has gone, or is going, without an answer."""


class RequestFailed(BackendError):
    """The daemon answered that it could not; `why` sorts the reasons."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


class Link:
    """An open connection to a daemon that has welcomed us. Somebody must `listen`, or nothing is
    ever answered: the owner of a long link himself, `listening` for the others."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        welcome: protocol.Welcome,
    ) -> None:
        self.welcome = welcome
        self.state = BackendState(Phase.STARTING)  # what the daemon said of itself last
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._completing: set[int] = set()  # of these, those that wait for completions
        self._pieces: dict[int, Callable[[str], None]] = {}
        self._heard = asyncio.Event()  # something, or that the daemon has gone
        self._lost: LinkLost | None = None
        self._listener: asyncio.Task[None] | None = None

    def send(self, message: protocol.FromClient) -> None:
        """Raises `ProtocolError` for what no frame can carry, such as a text over the limit: it
        harms nothing else."""
        data = protocol.pack(message)
        if self._writer.is_closing():
            return
        if self._writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._writer.transport.abort()
            self._lose(LinkLost("the daemon does not read any more"))
            return
        self._writer.write(data)

    async def ask(
        self,
        request: Numbered,
        pieces: Callable[[str], None] | None = None,
        patient: bool = True,
    ) -> Any:
        """The completions or the data that `request` is answered with; its `pieces` on the way.
        Not `patient`: a daemon that says nothing at all for long is asked for its status, which it
        tells whatever the engine does, and given up if it stays silent.

        Raises `Superseded`, `RequestFailed`, `LinkLost`, `BackendError`; what `pieces` raises; and
        `ProtocolError` as `send` does. Who is cancelled here cancels the request.
        """
        if self._lost is not None:
            raise self._lost
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        if pieces is not None:
            self._pieces[number] = pieces
        try:
            message = request(number)
            if isinstance(message, protocol.Complete):
                self._completing.add(number)
            self.send(message)
            return await (answer if patient else self._not_silent(answer))
        except asyncio.CancelledError:
            self.send(protocol.Cancel(number))
            raise
        finally:
            self._answers.pop(number, None)
            self._pieces.pop(number, None)
            self._completing.discard(number)

    async def told(self, enough: Callable[[BackendState], bool]) -> BackendState:
        """What the daemon says of itself, once that is `enough`. Raises `LinkLost`."""
        while not enough(self.state):
            if self._lost is not None:
                raise self._lost
            await self._news()
        return self.state

    # region Listening
    def listening(self, on_state: Callable[[BackendState], None] = lambda state: None) -> "Link":
        """Listens in a task of its own from now on, until closed."""
        self._listener = asyncio.create_task(self.listen(on_state))
        return self

    async def listen(self, on_state: Callable[[BackendState], None] = lambda state: None) -> None:
        """Until the connection ends, which whoever still waits is told. `on_state` is told what
        the daemon says of itself. Raises nothing but what `on_state` does."""
        lost = LinkLost("the daemon was lost")
        try:
            while (message := await protocol.read(self._reader, protocol.FromDaemon)) is not None:
                if isinstance(message, protocol.Refused):
                    lost = LinkLost(f"the daemon refused: {message.message}")
                    break
                if isinstance(message, protocol.State):
                    self.state = message.state
                    on_state(message.state)
                self._settle(message)
                self._heard.set()
        except (ProtocolError, OSError) as error:
            lost = LinkLost(f"the daemon does not answer properly: {error}")
        finally:
            self._lose(lost)

    def close(self) -> None:
        """Whoever still waits gets no answer."""
        if self._listener is not None:
            self._listener.cancel()
        self._lose(LinkLost("the link was closed"))

    @property
    def lost(self) -> LinkLost | None:
        """Why there is no daemon at the other end any more."""
        return self._lost

    # endregion
    # region Details
    def _settle(self, message: protocol.FromDaemon) -> None:
        match message:
            case protocol.Piece(number, text) if number in self._pieces:
                try:
                    self._pieces[number](text)
                except Exception as error:  # it is the one who asked that has to know
                    self._finish(number, error)
            case protocol.Completed(number, completions) if number in self._completing:
                self._finish(number, list(completions))
            case protocol.Answered(number, data) if number not in self._completing:
                self._finish(number, data)
            case protocol.Completed(number) | protocol.Answered(number):
                if number in self._answers:
                    raise ProtocolError(f"an answer to request {number} of another kind")
            case protocol.Failed(number, Why.SUPERSEDED | Why.CANCELLED, said):
                self._finish(number, Superseded(said))
            case protocol.Failed(number, why, said):
                self._finish(number, RequestFailed(why, said))
            case _:
                pass

    def _finish(self, number: int, result: Any) -> None:
        answer = self._answers.get(number)
        if answer is None or answer.done():
            return
        if isinstance(result, Exception):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    def _lose(self, lost: LinkLost) -> None:
        if self._lost is not None:
            return
        self._lost = lost
        self._writer.close()
        for number in list(self._answers):
            self._finish(number, lost)
        self._heard.set()

    async def _news(self) -> None:
        self._heard.clear()
        await self._heard.wait()

    async def _not_silent(self, answer: asyncio.Future[Any]) -> Any:
        asked = False
        while not answer.done():
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self._news()
                asked = False
            except TimeoutError:
                if asked:
                    raise BackendError(
                        f"the daemon has said nothing for {2 * SILENCE_SECONDS:g} s, as if it were"
                        " stopped: see `keyturn daemon status`"
                    ) from None
                asked = True
                self.send(protocol.Command(0, StatusQuery()))
        return answer.result()

    # endregion
