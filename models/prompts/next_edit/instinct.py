"""Instinct, of Continue (7B, Apache-2.0).

Source: repository continuedev/instinct (`utils/datautils.py`), and the editor plug-in that asks it:
a chat of a system message, and a request with changes as unified diffs, the newest first, and an
excerpt with a marked region, from the line above the cursor's to the fifth below it.

The system message has four thousand characters and is Continue's own: it is not part of this
program, but read from a file (docs/next_edit.md).
"""

from collections.abc import Sequence

from .question import Control, Piece, Question, Rows, around, unified
from .regions import MARKS, marked, written

BEGIN, END = Control("<|im_start|>"), Control("<|im_end|>")
REQUEST = (
    "Reference the user excerpt, user edits, and the snippets to understand the developer's intent."
    " Update the editable region of the user excerpt by predicting and completing the changes they"
    " would have made next. This may be a deletion, addition, or modification of code."
)
ABOVE, BELOW = 1, 5  # lines of the region
EXCERPT_LINES = 20  # on either side of the region
CONTEXT_LINES = 3  # of a change


class Instinct:
    """`question.Format`."""

    name = "instinct"
    marks = (*MARKS, "<|context_file|>", "<|snippet|>")
    controls = (BEGIN, END, Control("<|endoftext|>"))
    opening = ""

    def __init__(self, system: str) -> None:
        self._system = system

    def window(self, lines: Sequence[str], row: int) -> Rows:
        return around(lines, row, ABOVE, BELOW)

    def prompt(self, question: Question) -> list[Piece]:
        edits = "".join(
            f'User edited file "{change.path}"\n\n'
            f"```diff\n{unified(change, CONTEXT_LINES)}\n```\n\n"
            for change in reversed(question.changes)
        )
        window = question.window
        first = max(0, window.start - EXCERPT_LINES)
        excerpt = marked(question, first, window.stop + EXCERPT_LINES)
        request = (
            f"{REQUEST}\n\n### Context:\n\n\n\n\n### User Edits:\n\n{edits}"
            f'### User Excerpt:\n"{question.path}"\n\n{excerpt}'
        )
        return [
            BEGIN, f"system\n{self._system}", END, "\n",
            BEGIN, f"user\n{request}", END, "\n",
            BEGIN, "assistant\n",
        ]  # fmt: skip

    def written(self, answer: str, is_over: bool) -> tuple[str, bool]:
        return written(answer, is_over)
