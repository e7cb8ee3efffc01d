"""A change that is proposed to a user, and what becomes of it while they type."""

from dataclasses import dataclass, replace
from typing import Any

from ..backend import RefusedEdit, TextEdit


@dataclass(frozen=True, slots=True)
class ProposedEdit:
    """Put `new` in place of `old`, the characters `start .. stop` of a document. `number` says
    which one it is, among all of a session's; `why`, for the user."""

    number: int
    start: int
    stop: int
    old: str
    new: str
    why: str

    @classmethod
    def of(cls, number: int, data: dict[str, Any], text: str) -> "ProposedEdit | None":
        """From a backend's answer about a text; None where that says nothing, or another text is
        meant."""
        found = data.get("edit")
        if found is None:
            return None
        made = cls(number, *(found[name] for name in ("start", "stop", "old", "new", "why")))
        return made if text[made.start : made.stop] == made.old else None

    @property
    def edit(self) -> TextEdit:
        return TextEdit(self.start, self.stop, self.new)

    @property
    def refusal(self) -> RefusedEdit:
        return RefusedEdit(self.why, self.old, self.new)

    def is_like(self, other: "ProposedEdit") -> bool:
        """Whether it proposes the same at the same place."""
        return replace(self, number=other.number) == other

    def after(self, edit: TextEdit) -> "ProposedEdit | None":
        """The same change once the document was edited; None if its own place was."""
        if edit.end < self.start:
            by = len(edit.text) - (edit.end - edit.start)
            return replace(self, start=self.start + by, stop=self.stop + by)
        return self if edit.start > self.stop else None
