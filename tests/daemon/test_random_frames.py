"""Anything at all on the daemon's socket: answered or refused, never fatal."""

import asyncio
import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from daemon_fixture import Daemon, ready, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.daemon import protocol
from keyturn.lsp.backend import OpenDocument, TextEdit

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 99) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
NAMES = ["Hello", "Open", "Edit", "Close", "Complete", "Cancel", "Command", "Digest", "Nothing"]


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


uris = st.sampled_from(["file:///a", "file:///b"])
small = st.integers(-2, 6)
edits = st.builds(TextEdit, small, small, st.text(max_size=3)).map(lambda edit: (edit,))
valid = st.one_of(
    st.builds(
        protocol.Open, st.builds(OpenDocument, uris, st.just(""), small, st.text(max_size=5))
    ),
    st.builds(protocol.Edit, uris, small, edits),
    st.builds(protocol.Close, uris),
    st.builds(protocol.Cancel, small),
    st.builds(protocol.Complete, small, st.builds(request, small, small, uris)),
    st.builds(protocol.Command, small, st.builds(protocol.Digest, uris)),
).map(lambda message: protocol.pack(message))
wrong = st.one_of(
    st.tuples(st.sampled_from(NAMES), plain).map(lambda pair: framed(msgpack.packb(pair) or b"")),
    plain.map(lambda value: framed(msgpack.packb(value) or b"")),
    st.binary(max_size=30).map(framed),
    st.binary(min_size=1, max_size=30),
)
conversations = st.lists(st.one_of(valid, valid, valid, wrong), min_size=1, max_size=12)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def converse(daemon: Daemon, frames: list[bytes], greet: bool) -> None:
    """Say it all, then leave: the daemon must close its side, and answer while it listens."""
    reader, writer = await daemon.raw()
    if greet:
        writer.write(protocol.pack(protocol.Hello(protocol.PROTOCOL, "1.0", "fuzz", 1)))
    with contextlib.suppress(ConnectionError):
        writer.write(b"".join(frames))
        writer.write_eof()
        answers: list[Any] = []
        while (message := await protocol.read(reader, protocol.FromDaemon)) is not None:
            answers.append(message)
        assert all(not isinstance(answer, protocol.Refused) for answer in answers[:-1])
    writer.close()


def talk(runner: asyncio.Runner, folder: Path, examples: int) -> None:
    daemon = Daemon(folder)
    runner.run(daemon.__aenter__())

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(conversations, st.booleans())
    def one(frames: list[bytes], greet: bool) -> None:
        runner.run(converse(daemon, frames, greet))

    async def still_serves() -> None:
        client = daemon.client()
        await ready(client)
        assert len(await client.complete(request())) == 1

    try:
        one()
        runner.run(still_serves())
    finally:
        runner.run(daemon.__aexit__())


def test_random_conversations_are_answered_or_refused(runner: asyncio.Runner, tmp_path: Path):
    talk(runner, tmp_path / "run", 150)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_thousand_random_conversations(runner: asyncio.Runner, tmp_path: Path):
    talk(runner, tmp_path / "run", 10_000)
