"""The text model against a slow reference that rebuilds everything from scratch."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.lsp.backend import TextEdit
from keyturn.lsp.documents import Change, Document, Position
from keyturn.lsp.position import ENCODINGS, Encoding, choose, whole_characters

ODD = "ab \t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029é😀𝒳\ufeff"
texts = st.text(alphabet=st.sampled_from(ODD), max_size=60)
encodings = st.sampled_from(ENCODINGS)


def reference_lines(text: str) -> list[tuple[int, int]]:
    """(start, end of content) of every line, by splitting at the three terminators of LSP."""
    spans, start = [], 0
    for match in re.finditer("\r\n|\r|\n", text):
        spans.append((start, match.start()))
        start = match.end()
    return [*spans, (start, len(text))]


def reference_width(character: str, encoding: Encoding) -> int:
    if encoding == "utf-32":
        return 1
    if encoding == "utf-16":
        return 2 if ord(character) > 0xFFFF else 1
    return len(character.encode())


def reference_offset(text: str, place: Position, encoding: Encoding) -> int:
    spans = reference_lines(text)
    if place.line >= len(spans):
        return len(text)
    start, stop = spans[place.line]
    units = 0
    for offset in range(start, stop):
        units += reference_width(text[offset], encoding)
        if units > place.column:
            return offset
    return stop


places = st.builds(Position, st.integers(0, 12), st.integers(0, 40))
changes = st.one_of(
    st.builds(Change, texts, places, places),
    st.builds(Change, st.text(alphabet=st.sampled_from(ODD), max_size=3), places, places),
    st.builds(Change, texts),
)


@settings(max_examples=400, deadline=None)
@given(texts, st.lists(changes, max_size=12), encodings)
def test_random_edits_give_the_text_and_positions_of_the_reference(text, edits, encoding):
    document = Document("file:///a", "python", 1, text)
    mirror = text
    for version, change in enumerate(edits, 2):
        if change.start is not None and change.end is not None:
            start = reference_offset(mirror, change.start, encoding)
            end = max(start, reference_offset(mirror, change.end, encoding))
            expected = mirror[:start] + change.text + mirror[end:]
        else:
            expected = change.text
        [edit] = document.apply(version, [change], encoding)
        assert document.text == expected
        assert edit.apply(mirror) == expected
        mirror = expected
        spans = reference_lines(mirror)
        assert [document.line_span(line) for line in range(len(spans))] == spans
        for line, (start, stop) in enumerate(spans):
            for offset in range(start, stop + 1):
                place = document.position(offset, encoding)
                assert place.line == line
                assert document.offset(place, encoding) == offset


@settings(deadline=None)
@given(texts, places, encodings)
def test_positions_past_the_end_of_a_line_or_the_text_are_clamped(text, place, encoding):
    document = Document("file:///a", "", 1, text)
    assert document.offset(place, encoding) == reference_offset(text, place, encoding)


def test_a_form_feed_does_not_end_a_line():
    document = Document("file:///a", "c", 1, "a\x0cb\ncd\n")
    document.apply(2, [Change("Z", Position(1, 0), Position(1, 1))], "utf-16")
    assert document.text == "a\x0cb\nZd\n"


def test_an_edit_can_join_and_part_a_carriage_return_and_a_line_feed():
    document = Document("file:///a", "", 1, "a\rx\nb")
    document.apply(2, [Change("", Position(1, 0), Position(1, 1))], "utf-8")
    assert document.text == "a\r\nb"
    assert document.line_span(1) == (3, 4)
    document.apply(3, [Change("y", Position(1, 0), Position(1, 0))], "utf-8")
    assert document.text == "a\r\nyb"


def test_several_changes_of_one_notification_apply_one_after_the_other():
    document = Document("file:///a", "", 1, "one\ntwo")
    edits = document.apply(
        2,
        [
            Change("1\n", Position(0, 0), Position(0, 3)),
            Change("!", Position(2, 3), Position(2, 3)),
        ],
        "utf-16",
    )
    assert document.text == "1\n\ntwo!"
    assert edits == (TextEdit(0, 3, "1\n"), TextEdit(6, 6, "!"))
    assert document.version == 2


def test_half_a_surrogate_pair_becomes_one_replacement_character():
    assert whole_characters("a\ud83db") == "a\ufffdb"
    assert whole_characters("\ud83d\ude00") == "😀"
    document = Document("file:///a", "", 1, "x\udc00y")
    assert document.offset(Position(0, 2), "utf-16") == 2
    document.text.encode()


@given(st.text(alphabet=st.characters(categories=["Cs", "L"]), max_size=8))
def test_every_text_can_be_encoded_after_cleaning(text):
    whole_characters(text).encode()


def test_the_client_chooses_the_encoding_and_utf_16_is_the_rest():
    assert choose(["utf-8", "utf-16"]) == "utf-8"
    assert choose(["utf-7", "utf-32"]) == "utf-32"
    assert choose(None) == "utf-16"
    assert choose([]) == "utf-16"
