"""Anything at all on the daemon's socket: answered or refused, never fatal."""

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keyturn.api.request import CompletionOptions, CompletionRequest, Extent, Sampling, Trigger
from keyturn.daemon import protocol
from keyturn.daemon.client.startup import connect
from keyturn.lsp.backend import (
    Feedback,
    OpenDocument,
    Outcome,
    Refresh,
    StatusQuery,
    TextEdit,
    UseModel,
)
from support.daemon.running import Daemon, ready, request

numbers = st.one_of(  # over all that a frame can carry, and near every bound
    st.integers(-5, 99),
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([2**31 - 1, 2**31, -(2**31) - 1, 2**53, 2**62, 2**63 - 1, 2**64 - 1]),
)
floats = st.floats() | st.floats(0, 1)
plain = st.recursive(
    st.none() | st.booleans() | numbers | floats | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ANSWERS = protocol.Completed | protocol.Answered | protocol.Failed
NAMES = ["Hello", "Open", "Edit", "Close", "Complete", "Cancel", "Command", "Feedback", "Nothing"]


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def wild_sampling(temperature: float, top_p: float, min_p: float, seed: int) -> Sampling:
    """One that only a hostile client could make."""
    sampling = Sampling()
    given = {"temperature": temperature, "top_p": top_p, "min_p": min_p, "seed": seed}
    for name, value in given.items():
        object.__setattr__(sampling, name, value)
    return sampling


uris = st.sampled_from(["file:///a", "file:///b"])
small = st.integers(-2, 6) | numbers
edits = st.builds(TextEdit, small, small, st.text(max_size=3)).map(lambda edit: (edit,))
options = st.builds(
    CompletionOptions,
    extent=st.sampled_from(Extent),
    max_tokens=small,
    candidates=small,
    deadline_ms=small,
    sampling=st.builds(wild_sampling, floats, floats, floats, small),
)
commands = st.one_of(
    st.builds(protocol.Digest, uris),
    st.builds(Feedback, uris, st.sampled_from(Outcome), small),
    st.builds(Refresh, uris),
    st.builds(UseModel, st.sampled_from(["", "tiny"])),
    st.just(StatusQuery()),
    st.just(protocol.Reload()),
)
valid = st.one_of(
    st.builds(
        protocol.Open, st.builds(OpenDocument, uris, st.just(""), small, st.text(max_size=5))
    ),
    st.builds(protocol.Edit, uris, small, edits),
    st.builds(protocol.Close, uris),
    st.builds(protocol.Cancel, small),
    st.builds(protocol.Complete, small, st.builds(request, small, small, uris)),
    st.builds(
        protocol.Complete,
        small,
        st.builds(CompletionRequest, uris, small, small, st.sampled_from(Trigger), options),
    ),
    st.builds(protocol.Command, small, commands),
    st.builds(protocol.Hello, small, st.just("1.0"), st.just("fuzz"), small),
)
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


Said = bytes | protocol.FromClient  # frames as they are, or what is to be made one


async def converse(daemon: Daemon, said: list[Said], greet: bool) -> None:
    """Say it all, then leave: the daemon must close its side, and answer while it listens, each
    request once at most. Whatever was said, the next one who asks for the status gets it."""
    reader, writer = await daemon.raw()
    if greet:
        writer.write(protocol.pack(protocol.Hello(protocol.PROTOCOL, "1.0", "fuzz", 1)))
    with contextlib.suppress(ConnectionError):
        for each in said:
            writer.write(each if isinstance(each, bytes) else protocol.pack(each))
        writer.write_eof()
        answers: list[Any] = []
        while (message := await protocol.read(reader, protocol.FromDaemon)) is not None:
            answers.append(message)
        assert all(not isinstance(answer, protocol.Refused) for answer in answers[:-1])
        asked = Counter(
            each.id for each in said if isinstance(each, protocol.Complete | protocol.Command)
        )
        assert Counter(answer.id for answer in answers if isinstance(answer, ANSWERS)) <= asked
    writer.close()
    assert (await status(daemon))["phase"] == "ready"


async def status(daemon: Daemon) -> dict[str, Any]:
    """As `keyturn daemon status` asks for it."""
    hello = protocol.Hello(protocol.PROTOCOL, "1.0", "status", 1)
    link = await connect(daemon.paths, hello)
    assert link is not None
    async with asyncio.timeout(20):
        found = await link.listening().ask(lambda number: protocol.Command(number, StatusQuery()))
    link.close()
    return found


def talk(runner: asyncio.Runner, folder: Path, examples: int) -> None:
    daemon = Daemon(folder)
    runner.run(daemon.__aenter__())

    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(conversations, st.booleans())
    def one(said: list[Said], greet: bool) -> None:
        runner.run(converse(daemon, said, greet))

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
