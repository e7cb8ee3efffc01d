"""The frames and the messages in them."""

import asyncio
import dataclasses
import hashlib
import struct
import tracemalloc
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.api.confidence import Confidence
from keyturn.api.report import Completion
from keyturn.daemon import protocol
from keyturn.daemon.protocol import FromClient, FromDaemon, ProtocolError
from keyturn.lsp.backend import Feedback, Outcome, TextEdit
from support.daemon.instances import instances, layout

messages = st.one_of(*(instances(kind) for kind in (*get_args(FromClient), *get_args(FromDaemon))))


@given(messages)
def test_every_message_comes_back_equal(message: Any):
    frame = protocol.pack(message)
    assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
    kind = FromClient if type(message) in get_args(FromClient) else FromDaemon
    assert protocol.unpack(frame[4:], kind) == message


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(body: bytes):
    try:
        message = protocol.unpack(body, FromClient)
    except ProtocolError:
        return
    assert dataclasses.is_dataclass(message)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
)
names = st.sampled_from([kind.__name__ for kind in get_args(FromClient)])


@given(names, plain)
def test_well_formed_frames_with_wrong_fields_are_refused(name: str, fields: Any):
    body = msgpack.packb([name, fields])
    assert body is not None
    try:
        message = protocol.unpack(body, FromClient)
    except ProtocolError:
        return
    assert protocol.pack(message)[4:] == body


def test_a_confidence_without_a_probability_for_each_place_is_refused():
    known = Completion("x", 0, 0, confidence=Confidence((0, 1), (0.5, 0.5)))
    frame = protocol.pack(protocol.Completed(1, (known,)))
    assert protocol.unpack(frame[4:], FromDaemon) == protocol.Completed(1, (known,))
    body = msgpack.unpackb(frame[4:])
    body[1][1][0][-1][1] = [0.5]
    with pytest.raises(ProtocolError, match="1 probabilities for 2 places"):
        protocol.unpack(msgpack.packb(body) or b"", FromDaemon)


@pytest.mark.parametrize(
    "fields",
    [["a", 1], ["a", True, []], ["a", 1, [[0, 0]]], ["a", 1, [[0, 0, 7]]], [None, 1, []], "a1"],
)
def test_a_wrong_type_anywhere_in_an_edit_is_refused(fields: Any):
    body = msgpack.packb(["Edit", fields])
    assert body is not None
    with pytest.raises(ProtocolError):
        protocol.unpack(body, FromClient)


@pytest.mark.parametrize(
    "message",
    [
        protocol.Cancel(-1),
        protocol.Command(2**53 + 1, protocol.Digest("")),
        protocol.Command(1, Feedback("", Outcome.ACCEPTED, 2**62)),
        protocol.Edit("", 2**31, ()),
        protocol.Edit("", 1, (TextEdit(-2, -5, ""),)),
    ],
)
def test_a_number_out_of_its_range_is_refused_and_the_range_is_said(message: Any):
    with pytest.raises(ProtocolError, match="is not from"):
        protocol.unpack(protocol.pack(message)[4:], FromClient)


def numbers_in(kind: Any, seen: set[Any]) -> list[Any]:
    """Every annotation of a number in `kind` and below."""
    if get_origin(kind) is Annotated or kind in (int, float):
        return [kind]
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in seen:
        seen.add(kind)
        hints = get_type_hints(kind, include_extras=True).values()
        return [number for hint in hints for number in numbers_in(hint, seen)]
    return [number for argument in get_args(kind) for number in numbers_in(argument, seen)]


def test_every_number_that_a_client_may_send_has_a_range():
    found = numbers_in(FromClient, set())
    assert len(found) > 15
    assert [number for number in found if get_origin(number) is not Annotated] == []


@pytest.mark.parametrize(
    "message",
    [
        protocol.Answered(1, {"count": 2**64}),
        protocol.Answered(1, {"text": "\ud800"}),
        protocol.Answered(1, {"what": object()}),
        protocol.Close("file:///\ud800"),
    ],
)
def test_what_no_frame_can_carry_is_an_error_of_the_protocol(message: Any):
    with pytest.raises(ProtocolError, match="cannot be sent"):
        protocol.pack(message)


ARRAY = b"\xdc\x0f\xff"  # of 4,095


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd" + struct.pack(">I", 2**24) + b"\x80" * 2**24,  # empty mappings in a list
        b"\xdf" + struct.pack(">I", 2**23) + b"\x80" * 2**24,  # in a mapping
        b"\x92\xa4Edit\x93\xa1a\x01" + ARRAY + (ARRAY + b"\x80" * 4_095) * 4_095,
        (ARRAY + (ARRAY + b"\xc0" * 4_095) * 4_095),
        ARRAY * 2**20,  # each begun within the one before
        b"\x91" * 2**24,
    ],
)
def test_a_large_frame_of_small_things_is_refused_before_they_are_made(body: bytes):
    tracemalloc.start()
    with pytest.raises(ProtocolError, match=r"malformed message: ."):
        protocol.unpack(body, FromClient)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_as_many_edits_as_a_message_may_hold_come_back():
    edits = tuple(TextEdit(i, i, "x") for i in range(protocol.MOST_EDITS))
    message = protocol.Edit("", 1, edits)
    assert protocol.unpack(protocol.pack(message)[4:], FromClient) == message


def reader_of(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_a_frame_over_the_limit_is_refused_without_being_read():
    length = struct.pack(">I", protocol.MAX_FRAME_BYTES + 1)
    with pytest.raises(ProtocolError):
        await protocol.read(reader_of(length), FromClient)


async def test_the_end_of_the_stream_is_no_error_wherever_it_comes():
    frame = protocol.pack(protocol.Close("file:///a"))
    for cut in range(len(frame)):
        assert await protocol.read(reader_of(frame[:cut]), FromClient) is None
    assert await protocol.read(reader_of(frame), FromClient) == protocol.Close("file:///a")


def test_a_changed_message_has_a_new_protocol_number() -> None:
    lines = layout(protocol.FromClient | protocol.FromDaemon, set())
    found = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
    known = (10, "3807684f")
    assert (protocol.PROTOCOL, found) == known, "count PROTOCOL up and note the new hash here"


def test_a_message_over_the_limit_is_not_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "MAX_FRAME_BYTES", 100)
    with pytest.raises(ProtocolError, match="over the limit"):
        protocol.pack(protocol.Refused("x" * 200))
