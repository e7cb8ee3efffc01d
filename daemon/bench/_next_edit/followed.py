"""A case followed to its end: every proposal that is right is taken, one that is wrong ends it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ....lsp.backend import TextEdit
from ...next_edit.proposal import Proposal
from ...next_edit.recent_edits import RecentEdits
from .case import Case, moved

Ask = Callable[[str, RecentEdits, int], Sequence[Proposal]]  # of a text, its edits and the cursor


@dataclass(slots=True)
class Followed:
    """What came of a case: `wrong` is what was proposed at last and should not have been."""

    case: Case
    right: int = 0
    wrong: Proposal | None = None
    milliseconds: list[float] = field(default_factory=list)

    @property
    def shown(self) -> int:
        return self.right + (self.wrong is not None)


def follow(case: Case, ask: Ask) -> Followed:
    text, recent, cursor = case.text, RecentEdits(), 0
    edits = (*case.done, *case.due)
    found = Followed(case)
    for _ in case.done:
        edit, *edits = edits
        text, edits, cursor = _made(text, recent, edit, edits)
    while True:
        started = time.perf_counter()
        proposed = ask(text, recent, cursor)
        found.milliseconds.append((time.perf_counter() - started) * 1e3)
        if not proposed:
            return found
        first = proposed[0]
        made = TextEdit(first.start, first.stop, first.new)
        after = made.apply(text)
        meant = next((each for each in edits if each.apply(text) == after), None)
        if meant is None:
            found.wrong = first
            return found
        found.right += 1
        edits = [each for each in edits if each is not meant]
        text, edits, cursor = _made(text, recent, meant, edits)


def _made(
    text: str, recent: RecentEdits, edit: TextEdit, others: Sequence[TextEdit]
) -> tuple[str, tuple[TextEdit, ...], int]:
    recent.saw(text, edit.start, edit.end, edit.text)
    return edit.apply(text), moved(others, edit), edit.start + len(edit.text)
