"""The texts that the editor has open, which the session owns and changes.

Positions come in as (line, column) in the client's encoding and leave as offsets in code points.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .backend import OpenDocument, ProjectRules, TextEdit
from .lines import LineStarts
from .position import DEFAULT_ENCODING, Encoding, to_index, to_units, whole_characters


@dataclass(frozen=True, slots=True)
class Position:
    """A position as the client counts: both from 0, `column` in units of its encoding."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Change:
    """One element of `contentChanges`. Without a start and an end the text replaces all."""

    text: str
    start: Position | None = None
    end: Position | None = None


class Document:
    """One open text, its version and its line starts."""

    def __init__(self, uri: str, language: str, version: int, text: str) -> None:
        self.uri = uri
        self.language = language
        self.version = version
        self.text = whole_characters(text)
        self._lines = LineStarts(self.text)

    def whole(self, project: ProjectRules) -> OpenDocument:
        """What a backend is told that has not seen it yet."""
        return OpenDocument(self.uri, self.language, self.version, self.text, project)

    def line_span(self, line: int) -> tuple[int, int]:
        """Where `line` starts and where its content (without the terminator) ends."""
        start = self._lines[line]
        if line + 1 == len(self._lines):
            return start, len(self.text)
        stop = self._lines[line + 1]
        width = 2 if self.text.startswith("\r\n", stop - 2) and stop - 2 >= start else 1
        return start, stop - width

    def offset(self, place: Position, encoding: Encoding) -> int:
        """The offset of `place`: past the end of a line its end, past the last line the end."""
        if place.line >= len(self._lines):
            return len(self.text)
        start, stop = self.line_span(place.line)
        return start + to_index(self.text[start:stop], place.column, encoding)

    def position(self, offset: int, encoding: Encoding) -> Position:
        """The place of `offset`; one between `\\r` and `\\n` is the end of that line."""
        line = self._lines.line_of(offset)
        start, stop = self.line_span(line)
        return Position(line, to_units(self.text[start:stop], offset - start, encoding))

    def apply(
        self, version: int, changes: Sequence[Change], encoding: Encoding
    ) -> tuple[TextEdit, ...]:
        """Apply `changes` one after the other, as the client made them; say what they did."""
        edits = tuple(self._apply(change, encoding) for change in changes)
        self.version = version
        return edits

    def _apply(self, change: Change, encoding: Encoding) -> TextEdit:
        if change.start is None or change.end is None:
            edit = TextEdit(0, len(self.text), whole_characters(change.text))
            self.text = edit.text
            self._lines = LineStarts(edit.text)
            return edit
        start = self.offset(change.start, encoding)
        end = max(start, self.offset(change.end, encoding))
        edit = TextEdit(start, end, whole_characters(change.text))
        self.text = edit.apply(self.text)
        self._lines.replace(edit.start, edit.end, len(edit.text), self.text)
        return edit


class Documents:
    """The open documents of one editor, by URI."""

    def __init__(self) -> None:
        self.encoding: Encoding = DEFAULT_ENCODING
        self._documents: dict[str, Document] = {}

    def open(self, uri: str, language: str, version: int, text: str) -> Document:
        document = Document(uri, language, version, text)
        self._documents[uri] = document
        return document

    def close(self, uri: str) -> Document | None:
        return self._documents.pop(uri, None)

    def get(self, uri: str) -> Document | None:
        return self._documents.get(uri)

    def __iter__(self) -> Iterator[Document]:
        return iter(tuple(self._documents.values()))

    def __len__(self) -> int:
        return len(self._documents)
