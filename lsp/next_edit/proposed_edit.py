"""A change that is proposed to a user, and what becomes of it while they type."""

from dataclasses import dataclass, replace
from typing import Any

from ..backend import RefusedEdit, TextEdit

FIELDS = ("start", "stop", "old", "new", "why", "confidence")  # of a backend's answer


@dataclass(frozen=True, slots=True)
class ProposedEdit:
    """Put `new` in place of `old`, the characters `start .. stop` of a document. `number` says
    which one it is, among all of a session's; `why`, for the user; `confidence`, from 0 to 1, that
    they want it. `cause`: the characters of the same document from whose change it follows, with
    those beside them; None: it is another one's.
    """

    number: int
    start: int
    stop: int
    old: str
    new: str
    why: str
    confidence: float
    cause: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, number: int, data: dict[str, Any], text: str, cause: int | None = None
    ) -> "ProposedEdit | None":
        """From a backend's answer about a text; None where another text is meant. It follows from a
        change that ends at the character `cause`."""
        made = cls(number, *(data[name] for name in FIELDS))
        if text[made.start : made.stop] != made.old:
            return None
        return made if cause is None else replace(made, cause=word_around(text, cause))

    @property
    def edit(self) -> TextEdit:
        return TextEdit(self.start, self.stop, self.new)

    @property
    def refusal(self) -> RefusedEdit:
        return RefusedEdit(self.why, self.old, self.new)

    def is_like(self, other: "ProposedEdit") -> bool:
        """Whether it proposes the same at the same place."""
        same = replace(self, number=other.number, confidence=other.confidence, cause=other.cause)
        return same == other

    def after(self, edit: TextEdit) -> "ProposedEdit | None":
        """The same change once the document was edited; None if its own place was, or what it
        follows from."""
        cause = self.cause and moved(*self.cause, edit)
        if self.cause is not None and cause is None:
            return None
        place = moved(self.start, self.stop, edit)
        return place and replace(self, start=place[0], stop=place[1], cause=cause)


def moved(start: int, stop: int, edit: TextEdit) -> tuple[int, int] | None:
    """Where characters are after an edit that touches none of them."""
    if edit.end < start:
        by = len(edit.text) - (edit.end - edit.start)
        return start + by, stop + by
    return (start, stop) if edit.start > stop else None


def word_around(text: str, at: int) -> tuple[int, int]:
    start = stop = at
    while start > 0 and _is_word(text[start - 1]):
        start -= 1
    while stop < len(text) and _is_word(text[stop]):
        stop += 1
    return start, stop


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
