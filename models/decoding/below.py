"""The lines below the cursor's, and the places where a text says them again.

Code repeats short things for good reasons, and `if (a) return b;` may stand above `return b;`: in
the middle of a line, only a grammar can tell (`constrained.guide`). Without one, a repetition
counts only if it is long and stands behind something complete.
"""

import re
from collections.abc import Iterator, Sequence

from .circles import has_words

LOOK_AHEAD_CHARACTERS = 4000  # of the suffix
LEAST_WORDS = 3  # of a line that is said again in the middle of another
WORD = re.compile(r"[^\W_]+")
JOINED = re.compile(r"\w\w")
WORDS_AS_COMMANDS = frozenset(
    {  # `sudo make all` may stand above `make all`, `puts f(x)` above `f(x)`
        "clojure", "dockerfile", "elixir", "haskell", "lisp", "makefile", "ocaml", "perl",
        "powershell", "ruby", "shellscript",
    }
)  # fmt: skip
HEAD = re.compile(
    r"[\s}]*(?:case|catch|default|elif|elsif|else|for|foreach|if|match|switch|try|unless|until|when"
    r"|while|with)\b"
)  # what follows it on its line belongs to it
WANTS_MORE = re.compile(
    r"""(?: [^\w\s)\]}"'`;.!?]
      | \b(?:abstract|and|as|assert|async|await|by|const|constexpr|declare|default|defer|delete|do
          |else|explicit|export|extern|final|from|go|import|in|inline|internal|is|let|local|mut|my
          |new|not|of|on|open|or|override|private|protected|pub|public|raise|readonly|return|sealed
          |set|static|suspend|synchronized|then|throw|try|typeof|unsafe|unsigned|use|val|var
          |virtual|volatile|yield)
      | (?:\A|[;{}])(?:[^\W\d]|\s)*+  # words alone: `LEFT` before `JOIN a ON b`
    )\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)


def lines_below(suffix: str) -> list[str]:
    """The first lines below the cursor's that are not blank."""
    head = suffix[:LOOK_AHEAD_CHARACTERS]
    lines = head.split("\n")[1 : None if head == suffix else -1]
    return [line.rstrip() for line in lines if line.strip()]


def until_below(lines: Sequence[str], line: str, below: list[str], broken_off: bool) -> int:
    """How many lines to keep so that none of those `below` is said again; `line` is what stands
    before the first of them.

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
        if same == len(said) or (same >= 2 and has_words(said[:same])):
            return start
    return len(lines)


def inside_lines(text: str, below: list[str], broken_off: bool = False) -> Iterator[int]:
    """Where in the middle of its lines `text` begins to say, up to its end, the lines `below`;
    of the last, a part will do if it was `broken_off`."""
    first = below[0].lstrip() if below else ""
    start = 0
    for line in text.split("\n") if below else ():
        end, said = start + len(line), line.rstrip()
        for length in range(
            len(first), 0 if broken_off and end == len(text) else len(first) - 1, -1
        ):
            at = start + len(said) - length
            if said.endswith(first[:length]) and not JOINED.match(text[max(0, at - 1) : at + 1]):
                following = [each.rstrip() for each in text[end:].split("\n") if each.strip()]
                if following == below[1 : len(following) + 1]:
                    yield at
                break
        start = end + 1


def without_below(text: str, line: str, below: list[str], broken_off: bool, language: str) -> str:
    """The `text` behind `line` up to where, in the middle of a line, it says the lines `below`:
    three words of them at least, behind what wants no more."""
    if language in WORDS_AS_COMMANDS:
        return text
    for at in inside_lines(text, below, broken_off):
        before = (line + text[:at]).rpartition("\n")[2]
        enough = len(WORD.findall(text[at:])) >= LEAST_WORDS
        apart = before.strip() and not JOINED.match(before[-1:] + text[at : at + 1])
        if enough and apart and not HEAD.match(before) and not WANTS_MORE.search(before):
            return text[:at].rstrip()
    return text
