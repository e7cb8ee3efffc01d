"""Frames on standard input: what is a message, and what is read past."""

import asyncio

import pytest

from keyturn.lsp import stdio


def frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def received(data: bytes) -> list[bytes]:
    reader, bodies = asyncio.StreamReader(limit=1 << 10), []
    reader.feed_data(data)
    reader.feed_eof()
    await stdio.read_messages(reader, bodies.append, lambda: False)
    return bodies


async def test_a_body_over_the_limit_is_read_past_and_the_next_message_is_whole(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(stdio, "MAX_BODY_BYTES", 10)
    assert await received(frame(b"x" * 11) + frame(b"y" * 10)) == [b"y" * 10]


@pytest.mark.parametrize(
    "before",
    [b"no header\r\n", b"\r\n\r\n", b"x" * 5_000 + b"\n", b"Content-Type: a; charset=utf-8\r\n"],
)
async def test_lines_that_are_no_length_are_skipped(before: bytes):
    assert await received(before + frame(b"{}")) == [b"{}"]


async def test_a_message_that_the_end_of_input_cuts_is_none():
    assert await received(frame(b"{}") + b"Content-Length: 9\r\n\r\n{") == [b"{}"]
