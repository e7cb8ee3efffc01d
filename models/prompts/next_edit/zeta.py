"""Zeta, of Zed (7B, Apache-2.0), in its first version, the one that is made of Qwen2.5-Coder.

Source: the data set that it was trained on (zed-industries/zeta on the hub) and the editor that
asks it (repository zed, crate `zeta`): an instruction, changes as unified diffs, and an excerpt
with a marked region of about 350 tokens with about 150 more around it, tokens being thirds of
bytes.
"""

from collections.abc import Sequence

from .question import Control, Piece, Question, Rows, unified
from .regions import MARKS, START, marked, written

INSTRUCTION = (
    "You are a code completion assistant and your task is to analyze user edits and then rewrite an"
    " excerpt that the user provides, suggesting the appropriate edits within the excerpt, taking"
    " into account the cursor location."
)
START_OF_FILE = "<|start_of_file|>"
REGION_TOKENS, CONTEXT_TOKENS = 350, 150
BYTES_PER_TOKEN = 3
CONTEXT_LINES = 3  # of a change


class Zeta:
    """`question.Format`."""

    name = "zeta"
    marks = (*MARKS, START_OF_FILE)
    controls = (Control("<|endoftext|>"),)
    opening = f"{START}\n"

    def window(self, lines: Sequence[str], row: int) -> Rows:
        return grown(lines, Rows(row, min(len(lines), row + 1)), REGION_TOKENS)

    def prompt(self, question: Question) -> list[Piece]:
        edits = "\n\n".join(
            f'User edited "{change.path}":\n```diff\n{unified(change, CONTEXT_LINES)}\n\n```'
            for change in question.changes
        )
        shown = grown(question.lines, question.window, CONTEXT_TOKENS)
        excerpt = marked(question, shown.start, shown.stop)
        start = f"{START_OF_FILE}\n" if shown.start == 0 else ""
        return [
            f"### Instruction:\n{INSTRUCTION}\n\n"
            f"### User Edits:\n\n{edits}\n\n"
            f"### User Excerpt:\n\n```{question.path}\n{start}{excerpt}\n```\n\n"
            "### Response:\n"
        ]

    def written(self, answer: str, is_over: bool) -> tuple[str, bool]:
        return written(answer.removeprefix("\n"), is_over)


def grown(lines: Sequence[str], rows: Rows, tokens: int) -> Rows:
    """With whole lines on either side, until so many tokens were added."""
    start, stop = rows.start, rows.stop
    while tokens > 0 and (start > 0 or stop < len(lines)):
        if start > 0:
            start -= 1
            tokens = max(0, tokens - _tokens(lines[start]))
        if tokens > 0 and stop < len(lines):
            tokens = max(0, tokens - _tokens(lines[stop]))
            stop += 1
    return Rows(start, stop)


def _tokens(line: str) -> int:
    return len(line.encode("utf-8", "replace")) // BYTES_PER_TOKEN
