"""What a user expects of a suggestion, done to the generated text before anybody sees it.

Nothing that the file already has behind the cursor, nothing broken off, nothing said over and
over, no blank tail, and nothing at all rather than something worthless. Lines end in a line feed.
"""

import re

from .nesting import nesting

REPETITIONS = 3  # of the same lines, up to the end of the text: the model is going in circles
LONGEST_CYCLE_LINES = 4
LOOK_AHEAD_CHARACTERS = 4000  # of the suffix, to find what the text says again
ALPHANUMERIC = re.compile(r"\w")


def trim(text: str, prefix: str, suffix: str, cut_short: bool = False) -> str:
    """The part of `text` worth inserting between `prefix` and `suffix`; perhaps none.

    `cut_short`: the text ended at a limit and not where the model would have ended it.
    """
    text = text.partition("\ufffd")[0]
    line = prefix[prefix.rfind("\n") + 1 :]
    rest = suffix.partition("\n")[0]
    if rest.strip():
        text = _within_line(text, line, rest)
    else:
        lines = _lines(text)
        whole = _unbroken(lines) if cut_short else lines
        broken_off = cut_short and len(whole) == len(lines)
        lines = _without_blank_end(whole)
        lines = lines[: _circle(lines)]
        lines = lines[: _repeated_suffix(lines, line, _lines_below(suffix), broken_off)]
        text = "\n".join(lines).rstrip()
    return text if text.strip() else ""


def certain(text: str, prefix: str, suffix: str) -> str:
    """The start of `text` that `trim` will keep whatever is generated next.

    Whole lines only, and nothing in the middle of a line, where the end decides.
    """
    rest = suffix.partition("\n")[0]
    if rest.strip():
        return ""
    lines = _without_blank_end(_lines(text.partition("\ufffd")[0])[:-1])
    lines = lines[: _perhaps_circle(lines)]
    line = prefix[prefix.rfind("\n") + 1 :]
    lines = lines[: _repeated_suffix(lines, line, _lines_below(suffix), False)]
    return "\n".join(lines).rstrip()


# region In the middle of a line


def _within_line(text: str, line: str, rest: str) -> str:
    """One line, without the end that `rest` says again."""
    first, newline, _ = text.partition("\n")
    if newline and not line.strip() and first.strip():  # a whole line above the cursor's
        return "" if first.rstrip() == rest.rstrip() else f"{first}\n{line}"
    cuts = {k for k in range(min(len(first), len(rest)) + 1) if _says_again(line, first, rest, k)}
    cuts.add(len(first) - _first_loose_closer(first, rest))

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


def _first_loose_closer(text: str, rest: str) -> int:
    """Where `text` closes a bracket that it did not open and that `rest` closes too."""
    if rest[0] not in ")]}":
        return len(text)
    for at, character in enumerate(text):
        if character == rest[0] and nesting(text[: at + 1]).unmatched:
            return at
    return len(text)


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


def _circle(lines: list[str]) -> int:
    """How many lines to keep so that lines repeated to the end are said once."""
    for cycle in range(1, LONGEST_CYCLE_LINES + 1):
        start = len(lines)
        while start > cycle and lines[start - 1] == lines[start - 1 - cycle]:
            start -= 1
        said = lines[start - cycle : start] if start >= cycle else []
        copies = 1 + (len(lines) - start) / cycle
        if copies >= REPETITIONS and _has_words(said):
            return start
    return len(lines)


def _perhaps_circle(lines: list[str]) -> int:
    """How many lines to keep so that `_circle` could not take one of them later."""
    keep = len(lines)
    for cycle in range(1, LONGEST_CYCLE_LINES + 1):
        start = len(lines)
        while start > cycle and lines[start - 1] == lines[start - 1 - cycle]:
            start -= 1
        keep = min(keep, start)
    return keep


def _has_words(lines: list[str]) -> bool:
    return sum(len(ALPHANUMERIC.findall(line)) for line in lines) >= 4


def _lines_below(suffix: str) -> list[str]:
    """The first lines below the cursor's that are not blank."""
    head = suffix[:LOOK_AHEAD_CHARACTERS]
    lines = head.split("\n")[1 : None if head == suffix else -1]
    return [line.rstrip() for line in lines if line.strip()]


def _repeated_suffix(lines: list[str], line: str, below: list[str], broken_off: bool) -> int:
    """How many lines to keep so that none of those `below` is said again.

    They are, when the text ends with the first of them (of the last, a part if it was
    `broken_off`), or says two of them in a row.
    """
    whole = [line + lines[0], *lines[1:]] if lines else []
    for start in range(len(whole)):
        said = [text.rstrip() for text in whole[start:] if text.strip()]
        if not whole[start].strip() or not said or not below:
            continue
        same = 0
        while same < min(len(said), len(below)) and said[same] == below[same]:
            same += 1
        at_last = same == len(said) - 1 < len(below)
        if broken_off and at_last and below[same].startswith(said[same]):
            same += 1
        if same == len(said) or (same >= 2 and _has_words(said[:same])):
            return start
    return len(lines)


# endregion
