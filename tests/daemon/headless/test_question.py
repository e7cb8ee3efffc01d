"""Questions as they come from outside: a good one is understood, a bad one named in one line."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.cache.errors import InputError
from keyturn.daemon.cursor import Around, ByteOffset, LineColumn, Marker
from keyturn.daemon.headless.question import LineError, Wishes, parse, parse_object, place_of

HERE = {"text": "ab", "offset": 1}


def line(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ((3, 4, None, None), LineColumn(3, 4)),
        ((None, None, 0, None), ByteOffset(0)),
        ((None, None, None, "<>"), Marker("<>")),
    ],
)
def test_the_place_is_the_one_that_was_given(given: tuple, place: object) -> None:
    assert place_of(*given) == place


@pytest.mark.parametrize(
    "given",
    [
        (None, None, None, None),
        (1, None, None, None),
        (None, 1, None, None),
        (1, 1, 0, None),
        (None, None, 0, "<>"),
        (1, None, 0, None),
    ],
)
def test_none_several_or_half_a_place_is_refused(given: tuple) -> None:
    with pytest.raises(InputError, match=r"exactly one way|go together"):
        place_of(*given)


def test_a_line_is_a_question_with_the_defaults_where_it_says_nothing() -> None:
    identity, question = parse(
        line({"id": [1], **HERE, "filename": "a.py", "seed": 7}), Wishes(max_tokens=9)
    )
    assert identity == [1]
    assert question.around == Around("a", "b")
    assert question.filename == "a.py"
    assert question.wishes == Wishes(max_tokens=9, seed=7)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not valid UTF-8"),
        (b"[1]", "not a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (line({"offset": 0}), "'text' is missing"),
        (line({"text": 1, "offset": 0}), "'text' must be text"),
        (line({"text": "a", "offset": "0"}), "'offset' must be a whole number"),
        (line({"text": "a", "offset": True}), "'offset' must be a whole number"),
        (line({"text": "a", "offset": 9}), "past the end"),
        (line({"text": "a"}), "exactly one way"),
        (b'{"text": "\\ud800", "offset": 0}', "lone surrogate at character 0"),
        (line({"text": "a\0", "offset": 0}), "binary"),
        (line({**HERE, "colour": 1}), "unknown field 'colour'"),
        (line({**HERE, "max_tokens": 0}), "max_tokens must be between 1 and 1,000,000"),
        (line({**HERE, "max_tokens": 1.5}), "max_tokens must be a whole number"),
        (line({**HERE, "n": "2"}), "n must be a number"),
        (line({**HERE, "temperature": -1}), "temperature must be between 0 and 100"),
        (b'{"text": "", "offset": 0, "top_p": NaN}', "top_p must be between"),
        (line({**HERE, "extent": "book"}), "extent must be one of"),
        (line({**HERE, "timeout": 0}), "timeout must be between"),
    ],
)
def test_a_bad_line_is_named_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        parse(data, Wishes())
    assert "\n" not in str(error.value)


def test_a_bad_question_keeps_its_id() -> None:
    with pytest.raises(LineError) as error:
        parse(line({"id": "x", "text": "a"}), Wishes())
    assert error.value.identity == "x"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
NAMES = ["id", "text", "offset", "line", "column", "n", "seed", "timeout", "extent", "top_p"]


@given(st.dictionaries(st.sampled_from(NAMES), JSON) | JSON | st.binary(max_size=20))
def test_no_line_whatsoever_does_anything_worse(value: Any) -> None:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with suppress(InputError):
        parse(data, Wishes())


@pytest.mark.parametrize("number", ["9" * 5_000, "1e400", "-1e400", "NaN", "Infinity"])
def test_a_number_that_no_answer_could_repeat_is_refused_as_such(number: str) -> None:
    with pytest.raises(InputError, match="out of range"):
        parse_object(f'{{"id": {number}}}'.encode())
