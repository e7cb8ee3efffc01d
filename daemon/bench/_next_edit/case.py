"""A change that a user has begun, and what is left of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ....lsp.backend import TextEdit


@dataclass(frozen=True, slots=True)
class Case:
    """All edits are places in `text`, apart from each other. `done` were made by the user, in this
    order; `due` is what should be proposed, in any order: nothing, in what is noise."""

    kind: str
    name: str
    text: str
    done: tuple[TextEdit, ...]
    due: tuple[TextEdit, ...] = ()

    @property
    def is_noise(self) -> bool:
        return not self.due


def moved(edits: Sequence[TextEdit], by: TextEdit) -> tuple[TextEdit, ...]:
    """The other edits once `by` has been made."""
    grown = len(by.text) - (by.end - by.start)
    return tuple(
        TextEdit(each.start + grown, each.end + grown, each.text)
        if each.start >= by.end and each != by
        else each
        for each in edits
    )
