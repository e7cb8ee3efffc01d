"""Trimming: the generated text made what a user expects of a suggestion, before anybody sees it.

Nothing that the file already has on either side of the cursor, nothing broken off, nothing said
over and over or never reached, no words about the request, no blank tail, and nothing at all rather
than something worthless. Lines end in a line feed.
"""

import re

from .below import inside_lines, lines_below, until_below, without_below
from .brackets import nesting
from .circles import circle, inner_circle, perhaps_circle
from .closers import closed
from .entries import IN_A_ROW, asked_for, without_comma
from .restated import says_more
from .rubbish import rubbish
from .sentences import said_once, surely_said_once
from .stops import OPENERS, columns_of
from .unreachable import reached
from .word import says_word_again

ROUNDS_BROKEN_OFF = 3  # of a line that goes in circles up to a limit
ALPHANUMERIC = re.compile(r"\w")
OPENS_LINES = re.compile(rf"(?:[(\[,]|{OPENERS.pattern})\s*\Z")
BLANKS = re.compile(r"[ \t]*")


def trim(text: str, prefix: str, suffix: str, cut_short: bool = False, language: str = "") -> str:
    """The part of `text` worth inserting between `prefix` and `suffix`; perhaps none.

    `cut_short`: the text ended at a limit and not where the model would have ended it.
    """
    text = _without_indentation(text.partition("\ufffd")[0], prefix)
    line = prefix[prefix.rfind("\n") + 1 :]
    worth = rubbish(text, prefix + suffix, language, line)
    worth = min(worth, said_once(text[:worth], prefix))
    text, cut_short = text[:worth], cut_short and worth == len(text)
    rest = suffix.partition("\n")[0]
    if rest.strip():
        text = _within_line(text, line, rest)
    else:
        lines = _lines(text)
        whole = _unbroken(lines) if cut_short else lines
        broken_off = cut_short and len(whole) == len(lines)
        lines = _without_blank_end(whole)
        lines = _going_on(lines, prefix, suffix, language)
        if broken_off and lines:
            lines[-1] = lines[-1][: inner_circle(lines[-1], ROUNDS_BROKEN_OFF)]
        lines = lines[: circle(lines)]
        below = lines_below(suffix)
        lines = lines[: until_below(lines, line, below, broken_off)]
        text = "\n".join(lines).rstrip()
        text = without_below(text, line, below, broken_off, language)
    return text if text.strip() else ""


def certain(text: str, prefix: str, suffix: str, language: str = "") -> str:
    """The start of `text` that `trim` will keep whatever is generated next.

    Whole lines only, and nothing in the middle of a line, where the end decides.
    """
    rest = suffix.partition("\n")[0]
    if rest.strip():
        return ""
    text = _without_indentation(text.partition("\ufffd")[0], prefix)
    whole = text[: text.rfind("\n") + 1]
    whole = whole[: rubbish(whole, prefix + suffix, language)]
    lines = _without_blank_end(_lines(whole[: surely_said_once(whole, prefix)]))
    line = prefix[prefix.rfind("\n") + 1 :]
    lines = _going_on(lines, prefix, suffix, language, whole=False)
    lines = lines[: perhaps_circle(lines)]
    below = lines_below(suffix)
    lines = lines[: until_below(lines, line, below, False)]
    text = "\n".join(lines).rstrip()
    return text[: next(inside_lines(text, below), len(text))].rstrip()


def decided(text: str, prefix: str, suffix: str, language: str = "") -> bool:
    """Whether nothing after the whole lines of `text` will be shown, whatever is generated next."""
    text = _without_indentation(text.partition("\ufffd")[0], prefix)
    whole = text[: text.rfind("\n") + 1]
    if rubbish(whole, prefix + suffix, language) < len(whole):
        return True
    lines = _without_blank_end(_lines(whole))
    return _going_on(lines, prefix, suffix, language) != lines


# region From the start


def _without_indentation(text: str, prefix: str) -> str:
    """Lines set back by what the first of them is indented too far on an indented line."""
    above, _, line = prefix.rpartition("\n")
    extra = BLANKS.match(text)
    assert extra is not None, "matches also nothing"
    blanks = extra.group()
    if not line or line.strip() or not blanks or text[len(blanks) : len(blanks) + 1] in ("", "\n"):
        return text
    over = _last_line(above)
    if OPENS_LINES.search(over) and columns_of(line) <= columns_of(over):
        return text  # the indentation of a block is missing
    if columns_of(line + blanks) <= columns_of(over):
        return text
    return text[len(blanks) :].replace("\n" + line + blanks, "\n" + line)


def _going_on(
    lines: list[str], prefix: str, suffix: str, language: str, whole: bool = True
) -> list[str]:
    """Up to a line that goes in circles by itself, to statements that are never reached, to a
    comment that says the line above again, to a second entry that is made up."""
    for number, each in enumerate(lines):
        if (kept := inner_circle(each)) < len(each):
            lines = [*lines[:number], each[:kept].rstrip()]
            break
    over, newline, line = prefix.rpartition("\n")
    jump = "" if line.strip() else _last_line(over + newline)
    full = [line + lines[0], *lines[1:]] if lines else []
    full = full[: reached(full, jump, language, whole)]
    full = full[: says_more(full, _last_line(over), language)]
    lines, above = lines[: len(full)], over.split("\n")[-IN_A_ROW:]
    kept = asked_for(full, above, prefix + suffix, language, whole)
    if 0 < kept < len(lines):
        last = without_comma(lines[kept - 1], lines_below(suffix), language)
        lines = [*lines[: kept - 1], last]
    return _without_blank_end(lines[:kept])


def _last_line(text: str) -> str:
    """The last line that is not blank."""
    text = text.rstrip()
    return text[text.rfind("\n") + 1 :]


# endregion
# region In the middle of a line


def _within_line(text: str, line: str, rest: str) -> str:
    """One line, without the end that `rest` says again."""
    first, newline, _ = text.partition("\n")
    first = first[: inner_circle(first)]
    if says_word_again(first, line, rest):
        return ""
    if newline and not line.strip() and first.strip():  # a whole line above the cursor's
        return "" if first.rstrip() == rest.rstrip() else f"{first}\n{line}"
    cuts = {k for k in range(min(len(first), len(rest)) + 1) if _says_again(line, first, rest, k)}
    cuts.update(len(first) - at for at in closed(line, first, rest))

    def cost(cut: int) -> tuple[int, int]:
        kept = first[: len(first) - cut]
        return nesting(line + kept + rest).loose_ends, -cut

    first = first[: len(first) - min(cuts, key=cost)]
    return first.rstrip() if rest[0] in " \t)]},;:" else first


def _says_again(line: str, text: str, rest: str, length: int) -> bool:
    """Whether the last `length` characters of `text` are the first of `rest`, and no accident."""
    if not text.endswith(rest[:length]):
        return False
    before = (line + text)[: len(line) + len(text) - length]
    short = 0 < length < 3
    return not (short and ALPHANUMERIC.match(rest) and ALPHANUMERIC.match(before[-1:]))


# endregion
# region Whole lines


def _lines(text: str) -> list[str]:
    """Without blanks at their ends."""
    return [line.rstrip() for line in text.split("\n")]


def _unbroken(lines: list[str]) -> list[str]:
    """Without a last line that was broken off, if that leaves any."""
    whole = lines[:-1]
    return whole if any(map(str.strip, whole)) else lines


def _without_blank_end(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


# endregion
