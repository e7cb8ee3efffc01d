"""An excerpt in which a region is marked that is to be written again: what Zeta and Instinct have
in common. The marks are text, of several tokens each.
"""

from .question import Question, joined

START = "<|editable_region_start|>"
STOP = "<|editable_region_end|>"
CURSOR = "<|user_cursor_is_here|>"
MARKS = (START, STOP, CURSOR)


def marked(question: Question, first: int, last: int) -> str:
    """Lines `first .. last` of the file, with the window and the cursor marked."""
    lines, window = question.lines, question.window
    shown = list(lines[window.start : window.stop])
    at = question.row - window.start
    if 0 <= at < len(shown):
        line = shown[at]
        shown[at] = line[: question.column] + CURSOR + line[question.column :]
    return joined([*lines[first : window.start], START, *shown, STOP, *lines[window.stop : last]])


def written(answer: str, is_over: bool) -> tuple[str, bool]:
    """What an answer says of the region, between the marks that it may repeat."""
    text = answer.replace(CURSOR, "").removeprefix(START)
    text = text.removeprefix("\n")
    text, stop, _ = text.partition(STOP)
    is_over = is_over or bool(stop)
    return (text.removesuffix("\n") if is_over else text), is_over
