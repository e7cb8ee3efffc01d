"""A daemon that listens and says nothing: every command ends, and says what it waited for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from keyturn.daemon import protocol
from keyturn.daemon.client import startup
from keyturn.daemon.commands import daemon as commands
from keyturn.daemon.paths import DaemonPaths, daemon_paths, make_private
from keyturn.lsp.backend import BackendError, OpenDocument, StatusQuery

Say = Callable[[asyncio.StreamWriter], None]


def nothing(writer: asyncio.StreamWriter) -> None:
    """As a daemon that was stopped by a signal."""


def welcome(writer: asyncio.StreamWriter) -> None:
    writer.write(protocol.pack(protocol.Welcome(protocol.PROTOCOL, "1.0", 4711)))


@pytest.fixture
async def listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable]:
    monkeypatch.setenv("KEYTURN_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(startup, "WELCOME_SECONDS", 0.2)
    servers: list[asyncio.Server] = []

    async def listen(say: Say) -> None:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            say(writer)
            await reader.read()  # until the other side has left
            writer.close()

        make_private(daemon_paths().runtime)
        servers.append(await asyncio.start_unix_server(connected, daemon_paths().socket))

    yield listen
    for server in servers:
        server.close()
        await server.wait_closed()


async def test_a_command_says_that_the_daemon_did_not_greet_it(listen: Callable):
    await listen(nothing)
    with pytest.raises(BackendError, match=r"daemon\.sock has not answered within 0\.2 s"):
        await commands._ask(StatusQuery())


async def test_a_command_says_what_the_daemon_did_not_answer_and_which_process_it_is(
    listen: Callable,
):
    await listen(welcome)
    with pytest.raises(BackendError, match=r"4711.*has not answered StatusQuery within 0\.2 s"):
        await commands._ask(StatusQuery())


async def test_an_answer_of_another_kind_is_no_answer(listen: Callable):
    def confuse(writer: asyncio.StreamWriter) -> None:
        welcome(writer)
        writer.write(protocol.pack(protocol.Completed(1, ())))

    await listen(confuse)
    with pytest.raises(BackendError, match="does not answer properly"):
        await commands._ask(StatusQuery())


@pytest.mark.parametrize(
    "answer",
    [
        protocol.Failed(1, protocol.Why.ERROR, "internal error: no"),
        protocol.Refused("internal error: no"),
    ],
)
async def test_a_command_shows_what_the_daemon_says_has_gone_wrong(
    listen: Callable, answer: protocol.FromDaemon
):
    def fail(writer: asyncio.StreamWriter) -> None:
        welcome(writer)
        writer.write(protocol.pack(answer))

    await listen(fail)
    with pytest.raises(BackendError, match="internal error: no"):
        await commands._ask(StatusQuery())


async def test_what_a_daemon_does_not_read_is_not_kept_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("keyturn.daemon.client.link.MAX_UNREAD_BYTES", 1_000_000)
    left = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        welcome(writer)
        await left.wait()
        writer.close()

    paths = DaemonPaths(tmp_path / "run", tmp_path / "log")
    make_private(paths.runtime)
    server = await asyncio.start_unix_server(deaf, paths.socket, limit=1_000)
    link = await startup.connect(paths, protocol.Hello(protocol.PROTOCOL, "1.0", "test", 1))
    assert link is not None
    document = OpenDocument("file:///a", "", 1, "x" * 400_000)
    for _ in range(10):
        link.send(protocol.Open(document))
    assert str(link.lost) == "the daemon does not read any more"
    left.set()
    server.close()
    await server.wait_closed()
