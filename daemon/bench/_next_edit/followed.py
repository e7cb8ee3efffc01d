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
    right: int = 0  # proposals
    done: int = 0  # edits of the case that they made
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
        meant = [each for each in edits if each.apply(text) == after][:1]
        if not meant:  # or several at once
            meant = [e for e in edits if first.start <= e.start and e.end <= first.stop]
        if not meant or _all(text, meant) != after:
            found.wrong = first
            return found
        found.right += 1
        found.done += len(meant)
        rest = [each for each in edits if each not in meant]
        text, edits, cursor = _made(text, recent, made, rest)


def _all(text: str, edits: Sequence[TextEdit]) -> str:
    for each in sorted(edits, key=lambda edit: -edit.start):
        text = each.apply(text)
    return text


def _made(
    text: str, recent: RecentEdits, edit: TextEdit, others: Sequence[TextEdit]
) -> tuple[str, tuple[TextEdit, ...], int]:
    recent.saw(text, edit.start, edit.end, edit.text)
    return edit.apply(text), moved(others, edit), edit.start + len(edit.text)
