"""Many editors at once, typing and asking in any order; every text the same at both ends."""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keyturn.api.request import CompletionOptions, CompletionRequest, Trigger
from keyturn.daemon import protocol
from keyturn.daemon.client.client import DaemonClient
from keyturn.lsp.backend import BackendError, StatusQuery, Superseded, TextEdit
from keyturn.lsp.documents import Change, Documents, Position
from keyturn.lsp.options import Options
from keyturn.lsp.session import Session
from support.daemon.running import Daemon, ready, request
from support.daemon.small_engine import suggestion

PIECES = ["x", "\n", "\r\n", "é", "😀", "\x0c", "word ", "(", "SLOW", "    "]


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with Daemon(tmp_path / "run") as daemon:
        yield daemon


class Typist:
    """An editor that does anything at any time, and remembers what its texts must be."""

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self.random = random.Random(seed)
        self.client: DaemonClient = daemon.client(lambda: self.session.shared())
        documents = Documents()
        documents.encoding = "utf-32"
        self.session = Session(self.client, documents, Options(), lambda problem: None)
        self.texts: dict[str, tuple[int, str]] = {}
        self.asked: list[asyncio.Task[None]] = []
        self.right = 0

    def act(self) -> None:
        uri = f"file:///{self.random.randrange(3)}.py"
        if uri not in self.texts:
            self.texts[uri] = 1, "start"
            self.session.open(uri, "python", 1, "start")
            return
        choice = self.random.random()
        if choice < 0.02:
            self.session.close(uri)
            del self.texts[uri]
        elif choice < 0.6:
            self.edit(uri)
        else:
            self.asked.append(asyncio.create_task(self.ask(uri, *self.texts[uri])))

    def edit(self, uri: str) -> None:
        version, text = self.texts[uri]
        start = self.random.randint(0, len(text))
        end = min(len(text), start + self.random.choice([0, 0, 0, 1, 5]))
        new = self.random.choice(PIECES)
        edit = TextEdit(start, end, new)
        document = self.session.documents.get(uri)
        assert document is not None
        places = [document.position(offset, "utf-32") for offset in (start, end)]
        offsets = [document.offset(place, "utf-32") for place in places]
        edit = TextEdit(offsets[0], max(offsets), new)  # never between \r and \n
        self.texts[uri] = version + 1, edit.apply(text)
        self.session.change(uri, version + 1, [Change(new, places[0], places[1])])

    async def ask(self, uri: str, version: int, text: str) -> None:
        """Straight to the backend: an answer must belong to the version that was asked for."""
        offset = self.random.randint(0, len(text))
        options = CompletionOptions(deadline_ms=self.random.choice([1, 50, 2_000]))
        wanted = CompletionRequest(uri, version, offset, Trigger.INVOKED, options)
        try:
            [completion] = await self.client.complete(wanted)
        except (Superseded, BackendError):
            return
        assert completion.text == suggestion(version, offset, text)
        self.right += 1

    async def finish(self) -> None:
        await asyncio.gather(*self.asked)
        for uri, (version, text) in self.texts.items():
            answer = await self.client.control(protocol.Digest(uri))
            digest = hashlib.sha256(text.encode()).hexdigest()
            assert answer == {"version": version, "sha256": digest}


async def type_for(daemon: Daemon, steps: int) -> None:
    typists = [Typist(daemon, seed) for seed in range(8)]
    for typist in typists:
        await typist.client.control(StatusQuery())
    order = random.Random(8)
    for _ in range(steps):
        order.choice(typists).act()
        if order.random() < 0.3:
            await asyncio.sleep(order.choice([0, 0, 0.001, 0.005]))
    for typist in typists:
        await typist.finish()
    assert all(typist.right for typist in typists)


async def test_eight_clients_at_random_end_with_the_texts_of_the_reference(daemon: Daemon):
    await type_for(daemon, 3_000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_eight_clients_at_random_for_minutes(daemon: Daemon):
    await type_for(daemon, 100_000)


async def test_fifty_clients_are_all_served(daemon: Daemon):
    clients = [daemon.client() for _ in range(50)]
    for number, client in enumerate(clients):
        await ready(client, f"text of {number}")
    answers = await asyncio.gather(*(client.complete(request()) for client in clients))
    assert [completion.text for [completion] in answers] == [
        suggestion(1, 0, f"text of {number}") for number in range(50)
    ]


def test_a_place_between_carriage_return_and_line_feed_is_the_end_of_the_line():
    document = Documents().open("file:///a", "", 1, "a\r\nb")
    assert document.position(2, "utf-32") == Position(0, 1)
