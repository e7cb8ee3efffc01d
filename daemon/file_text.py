"""A file's text in two forms: as the editor has it, and as models read it.

Models were trained on text whose lines end in a line feed and that has no byte order mark. Requests
and edits count characters of the editor's form, the engine and all behind it those of the other.
Where a file has neither, both forms are one string.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ..lsp.backend import TextEdit

BYTE_ORDER_MARK = "\ufeff"


class Edited(NamedTuple):
    """An edit of a text as models read it, that text after it, and the edit as it was made."""

    edit: TextEdit
    text: str
    raw: TextEdit


@dataclass(frozen=True, slots=True)
class FileText:
    """One file's. Never changes."""

    raw: str  # the editor's
    text: str  # the model's: the same string if `raw` is such a text already

    @classmethod
    def of(cls, raw: str) -> "FileText":
        return cls(raw, _read(raw, 0))

    def offset(self, raw_offset: int) -> int:
        """Where in `text` a place in `raw` is."""
        if self.text is self.raw:
            return raw_offset
        mark = self.raw.startswith(BYTE_ORDER_MARK) and raw_offset > 0
        return raw_offset - mark - self.raw.count("\r\n", 0, raw_offset)

    def raw_offset(self, offset: int) -> int:
        """Where in `raw` a place in `text` is."""
        if self.text is self.raw:
            return offset
        line = self.text.rfind("\n", 0, offset) + 1
        start = int(self.raw.startswith(BYTE_ORDER_MARK))
        for _ in range(self.text.count("\n", 0, offset)):
            start = self.raw.index("\n", start) + 1
        return start + offset - line

    def newline(self, raw_offset: int) -> str:
        """What ends lines there: the line end nearest to it decides, those above first."""
        if self.text is self.raw:
            return "\n"
        end = self.raw.rfind("\n", 0, raw_offset)
        if end < 0:
            end = self.raw.find("\n", raw_offset)
        return "\r\n" if end > 0 and self.raw[end - 1] == "\r" else "\n"

    def edited(self, edit: TextEdit) -> "tuple[FileText, Edited]":
        """The text after an edit of `raw`, and what that is for `text`."""
        raw, before = edit.apply(self.raw), self.raw
        plain = self.text is before and "\r" not in before and "\r" not in edit.text
        if plain and not raw.startswith(BYTE_ORDER_MARK):
            return FileText(raw, raw), Edited(edit, raw, edit)
        start, end = edit.start, edit.end
        # A line end or a mark at the edge can come apart, or together, with what is new.
        start -= before.startswith("\r", start - 1) if start else 0
        end += before.startswith("\n", end)
        end += start == 0 and before.startswith(BYTE_ORDER_MARK, end)
        new = _read(raw[start : len(raw) - (len(before) - end)], start)
        within = TextEdit(self.offset(start), self.offset(end), new)
        text = within.apply(self.text)
        text = raw if text == raw else text  # the last carriage return may be gone
        return FileText(raw, text), Edited(within, text, edit)


def _read(part: str, start: int) -> str:
    """A part of a raw text, from offset `start` on, as models read it."""
    if start == 0:
        part = part.removeprefix(BYTE_ORDER_MARK)
    return part.replace("\r\n", "\n")
