"""Clients that are malformed, deaf, greedy or strangers, and everybody else unharmed."""

import asyncio
import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from keyturn.daemon import protocol
from keyturn.lsp.backend import BackendError, Feedback, OpenDocument, Outcome, StatusQuery, TextEdit
from support.daemon.running import URI, Daemon, ready, request
from support.until import until_async


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    async with Daemon(tmp_path / "run") as daemon:
        yield daemon


async def still_serves(daemon: Daemon) -> None:
    client = daemon.client()
    await ready(client)
    assert len(await client.complete(request())) == 1


@pytest.mark.parametrize(
    "frame",
    [
        b"\x00\x00\x00\x02hi",
        struct.pack(">I", 2**31),
        protocol.pack(protocol.Close(URI)),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        struct.pack(">I", 0),
    ],
)
async def test_a_malformed_greeting_is_refused_and_the_connection_closed(
    daemon: Daemon, frame: bytes
):
    reader, writer = await daemon.raw()
    writer.write(frame)
    answer = await protocol.read(reader, protocol.FromDaemon)
    assert isinstance(answer, protocol.Refused)
    assert await reader.read() == b""
    writer.close()
    await still_serves(daemon)


async def test_a_client_that_never_reads_is_cut_off_and_harms_nobody(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("keyturn.daemon.server.connection.MAX_UNREAD_BYTES", 100_000)
    _, writer = await daemon.raw()
    writer.write(protocol.pack(protocol.Hello(protocol.PROTOCOL, "1.0", "deaf", 1)))
    transport: Any = writer.transport
    transport.pause_reading()
    with contextlib.suppress(ConnectionError):
        for number in range(20_000):
            writer.write(protocol.pack(protocol.Command(number, StatusQuery())))
            if number % 100 == 0:
                await writer.drain()
                await asyncio.sleep(0)
            if transport.is_closing():
                break
    await still_serves(daemon)
    client = daemon.client()

    async def gone() -> bool:
        return "deaf" not in str((await client.control(StatusQuery()))["clients"])

    await until_async(gone, "who does not read is cut off")
    writer.close()


async def test_too_many_requests_of_one_client_are_refused_and_the_rest_answered(daemon: Daemon):
    client = daemon.client()
    await ready(client)
    for number in range(70):
        client.open(OpenDocument(f"file:///{number}", "", 1, "SLOW"))
    results = await asyncio.gather(
        *(
            client.complete(request(1, 0, f"file:///{number}", deadline_ms=100))
            for number in range(70)
        ),
        return_exceptions=True,
    )
    busy = [r for r in results if isinstance(r, BackendError) and "at once" in str(r)]
    assert len(results) == 70
    assert len(busy) == 6


async def test_counts_that_no_answer_could_carry_are_refused_and_status_still_answers(
    daemon: Daemon,
):
    client = daemon.client()
    await ready(client)
    for _ in range(5):
        with pytest.raises(BackendError):
            await client.control(Feedback(URI, Outcome.ACCEPTED, 2**62))
    status = await client.control(StatusQuery())
    assert status["accepted_characters"] == 0
    assert status["protocol_errors"] == 5


async def test_an_answer_that_fails_is_an_answer_that_says_so(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
):
    client = daemon.client()
    await ready(client)
    engine = daemon.maker.made[0]
    for broken in ({"bytes": 2**64}, {"text": "\ud800"}, {"what": object()}):
        with monkeypatch.context() as patch:
            patch.setattr(engine, "status", lambda broken=broken: broken)
            with pytest.raises(BackendError, match="internal error"):
                await client.control(StatusQuery())
    daemon.server.metrics.accepted_characters = 2**64
    with pytest.raises(BackendError, match="internal error"):
        await client.control(StatusQuery())
    daemon.server.metrics.accepted_characters = 0
    assert (await client.control(StatusQuery()))["phase"] == "ready"


@pytest.mark.parametrize("edit", [TextEdit(3, 2, "x"), TextEdit(0, 5, "x"), TextEdit(9, 9, "x")])
async def test_an_edit_outside_of_its_document_changes_nothing_and_is_not_completed_after(
    daemon: Daemon, edit: TextEdit
):
    client = daemon.client()
    await ready(client)  # "text"
    client.edit(URI, 2, (edit,))
    assert await client.control(protocol.Digest(URI)) == {}
    for version in (1, 2):
        with pytest.raises(BackendError, match="not open in that version"):
            await client.complete(request(version))
    client.open(OpenDocument(URI, "", 3, "text"))
    assert len(await client.complete(request(3, 4))) == 1
    with pytest.raises(BackendError, match="not open in that version"):
        await client.complete(request(3, 5))


async def test_more_edits_than_one_message_may_hold_arrive_in_several(daemon: Daemon):
    client = daemon.client()
    await ready(client, "")
    count = protocol.MOST_EDITS * 2 + 1
    client.edit(URI, 2, tuple(TextEdit(i, i, "x") for i in range(count)))
    assert len(await client.complete(request(2, count))) == 1
    assert daemon.server.metrics.protocol_errors == 0


async def test_a_document_that_cannot_be_sent_harms_no_other(daemon: Daemon):
    documents = [OpenDocument("file:///\ud800", "", 1, "x"), OpenDocument(URI, "", 1, "text")]
    client = daemon.client(lambda: documents)
    assert len(await client.complete(request())) == 1
    client.open(documents[0])
    client.edit("file:///\ud800", 2, (TextEdit(0, 0, "y"),))
    with pytest.raises(BackendError, match="could not be sent"):
        await client.complete(request(2, 0, "file:///\ud800"))
    assert len(await client.complete(request())) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
async def test_another_user_is_refused_even_where_the_directory_lets_them_in(daemon: Daemon):
    folder = daemon.paths.runtime
    for path in (folder, *folder.parents):
        if path.stat().st_mode & 0o001 == 0:  # pytest's own folders
            path.chmod(0o755)
    daemon.paths.socket.chmod(0o666)

    code = (  # an interpreter may be where only its owner can start it, so it is one already
        "import os, socket, sys\n"
        "os.setgroups([]), os.setgid(65534), os.setuid(65534)\n"
        "link = socket.socket(socket.AF_UNIX)\n"
        "link.connect(sys.argv[1])\n"
        "link.settimeout(20)\n"  # a daemon that let it in would wait for its greeting
        "sys.stdout.buffer.write(link.recv(1000))\n"
    )
    command = [sys.executable, "-ISc", code, str(daemon.paths.socket)]

    def as_nobody() -> bytes:
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout

    assert b"another user" in await asyncio.to_thread(as_nobody)
    await still_serves(daemon)
