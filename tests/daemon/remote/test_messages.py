"""What crosses the network between a daemon and a server."""

import gzip
import hashlib
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.daemon.remote.messages import (
    COMPRESSED_BYTES,
    MOST_BODY_BYTES,
    WIRE,
    Answered,
    Ask,
    BadMessage,
    FileState,
    Surroundings,
    Whole,
    digest_of,
    key_of,
    pack,
    unpack,
)
from support.daemon.instances import instances, layout

messages = st.one_of(*(instances(kind) for kind in (FileState, Surroundings, Ask, Answered)))


@given(messages)
def test_every_message_comes_back_equal(message: Any) -> None:
    body, headers = pack(message)
    assert unpack(body, headers.get("content-encoding"), type(message)) == message


def test_what_is_long_is_compressed() -> None:
    state = FileState("a.py", "python", 1, digest_of(""), Whole("x = 1\n" * COMPRESSED_BYTES))
    body, headers = pack(state)
    assert headers["content-encoding"] == "gzip"
    assert len(body) < COMPRESSED_BYTES
    assert unpack(body, "gzip", FileState) == state


@given(st.binary(max_size=60), st.sampled_from([None, "gzip", "br"]))
def test_random_bytes_are_refused(body: bytes, encoding: str | None) -> None:
    with pytest.raises(BadMessage):
        unpack(body, encoding, Ask)


def test_what_becomes_large_when_it_is_inflated_is_refused_before_it_does() -> None:
    bomb = gzip.compress(b"\0" * (MOST_BODY_BYTES + 1))
    assert len(bomb) < MOST_BODY_BYTES / 100
    with pytest.raises(BadMessage, match="over the limit"):
        unpack(bomb, "gzip", FileState)
    with pytest.raises(BadMessage, match="too early"):
        unpack(gzip.compress(msgpack.packb(["a"] * 100) or b"")[:-9], "gzip", FileState)


def test_half_a_character_cannot_be_sent() -> None:
    state = FileState("a.py", "python", 1, digest_of("\ud800"), Whole("\ud800"))
    with pytest.raises(BadMessage, match="cannot be sent"):
        pack(state)


def test_a_key_says_nothing_of_its_file_and_tells_files_apart() -> None:
    keys = {key_of(*parts) for parts in (("a", "b"), ("ab", ""), ("", "ab"), ("a", "b", ""))}
    assert len(keys) == 4
    assert all(len(key) == 32 and set(key) <= set("0123456789abcdef") for key in keys)


def test_a_changed_message_has_a_new_number() -> None:
    lines = layout(FileState | Surroundings | Ask | Answered, set())
    found = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
    assert (WIRE, found) == (2, "3b315fe8"), "count WIRE up and note the new hash here"
