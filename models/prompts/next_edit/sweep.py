"""Sweep Next-Edit (0.5B to 7B, weights open, Apache-2.0).

Source: "Open sourcing a 1.5B parameter Next-Edit Autocomplete Model" (blog.sweep.dev, section "Our
Format") and the program on the model's card: changes as blocks of what was and what is, in the file
format that Qwen2.5-Coder was trained in; then the window as it was before the last change, as it is
now, and, to be written, as it will be. Windows have 21 lines, around the cursor.
"""

from collections.abc import Sequence

from .question import Control, Piece, Question, Rows, around, joined

FILE = Control("<|file_sep|>")
END = Control("<|endoftext|>")
LINES = 10  # above the cursor's line, and below it
CONTEXT_LINES = 1  # of a change


class Sweep:
    """`question.Format`."""

    name = "sweep"
    marks: tuple[str, ...] = ()  # text never becomes a control token
    controls = (FILE, END)
    opening = "\n"

    def window(self, lines: Sequence[str], row: int) -> Rows:
        return around(lines, row, LINES, LINES)

    def prompt(self, question: Question) -> list[Piece]:
        pieces: list[Piece] = []
        for change in question.changes:
            above, below = change.above[-CONTEXT_LINES:], change.below[:CONTEXT_LINES]
            before = joined([*above, *change.before, *below])
            after = joined([*above, *change.after, *below])
            pieces += [FILE, f"{change.path}.diff\noriginal:\n{before}\nupdated:\n{after}\n"]
        for kind, lines in (("original", question.original), ("current", question.current)):
            pieces += [FILE, f"{kind}/{question.path}\n{joined(lines)}\n"]
        return [*pieces, FILE, f"updated/{question.path}"]

    def written(self, answer: str, is_over: bool) -> tuple[str, bool]:
        answer = answer.removeprefix(self.opening)
        return (answer.removesuffix("\n") if is_over else answer), is_over
