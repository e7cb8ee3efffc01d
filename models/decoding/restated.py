"""Restatements: comments and prose that only say the line above once more."""

import re
from collections.abc import Sequence

COMMENT = re.compile(r"\s*(?:#(?!\w)|//|--|;|%|/\*|\*|<!--|\"\"\"|''')")
WORD = re.compile(r"[^\W\d_]\w*")
PROSE = frozenset({"markdown", "plaintext"})
LEAST_WORDS = 2


def says_more(lines: Sequence[str], above: str, language: str) -> int:
    """How many of the `lines` to keep so that none has no word that the line over it has not;
    `above` is the line over the first of them."""
    over = _words(above, language)
    for number, line in enumerate(lines):
        words = _words(line, language)
        if len(words) >= LEAST_WORDS and words <= over:
            return number
        over = words
    return len(lines)


def _words(line: str, language: str) -> set[str]:
    """Those of a comment, or of prose; none of code."""
    if language not in PROSE and not COMMENT.match(line):
        return set()
    return {word.lower() for word in WORD.findall(line)}
