"""A streamed text is passed on once, whoever says it in the end."""

import pytest

from keyturn.daemon.headless.streamed import OtherText, Streamed


def test_an_answer_that_does_not_begin_with_its_pieces_is_no_answer() -> None:
    written: list[str] = []
    streamed = Streamed(written.append)
    streamed.begin()
    streamed.add("abc")
    with pytest.raises(OtherText):
        streamed.end("XYZ")
    assert written == ["abc"]


def test_a_second_attempt_goes_on_where_the_first_one_stopped() -> None:
    out: list[str] = []
    streamed = Streamed(out.append)
    streamed.begin()
    streamed.add("one ")
    streamed.begin()
    for piece in ("on", "e two", " three"):
        streamed.add(piece)
    streamed.end("one two three.")
    assert "".join(out) == "one two three."


@pytest.mark.parametrize("other", ["    }\n", "    x = 1", "    x"])
def test_another_text_is_an_error_and_not_a_splice(other: str) -> None:
    out: list[str] = []
    streamed = Streamed(out.append)
    streamed.begin()
    streamed.add("    x += 1;")
    streamed.begin()
    with pytest.raises(OtherText, match="ask again"):
        streamed.end(other)
    assert out == ["    x += 1;"]


def test_nobody_to_pass_it_on_to_is_nothing_to_compare() -> None:
    streamed = Streamed(None)
    streamed.add("one")
    streamed.begin()
    streamed.end("two")
    assert not streamed.wanted
