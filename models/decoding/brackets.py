"""Brackets and strings that are open at a place, for any language that looks like code.

An approximation by design: it knows quotes, triple quotes and line comments, no grammar. What it
says decides where a completion ends and what of it repeats the suffix, never what is valid.
"""

import re
from dataclasses import dataclass

COMMENTS = ("#", "//")
_CLOSER = {"(": ")", "[": "]", "{": "}"}
_TRIPLE = ('"""', "'''")


@dataclass(frozen=True, slots=True)
class Nesting:
    """What is open. A string of one line ends with its line; only triple quotes go on."""

    brackets: str = ""  # opened and not closed, outermost first
    unmatched: str = ""  # closers of something opened earlier
    quote: str = ""  # of the string that is open

    @property
    def inside(self) -> bool:
        """Whether a new line at this place belongs to a bracket or string opened in the text."""
        return bool(self.brackets) or self.quote in _TRIPLE

    @property
    def loose_ends(self) -> int:
        return len(self.brackets) + len(self.unmatched) + bool(self.quote)


OUTSIDE = Nesting()


def nesting(text: str, start: Nesting = OUTSIDE, comments: tuple[str, ...] = COMMENTS) -> Nesting:
    """What is open after `text`, when `start` was open before it."""
    brackets, unmatched, quote = start.brackets, start.unmatched, start.quote
    if quote not in _TRIPLE:
        quote = ""
    pattern, at = _pattern(comments), 0
    while at < len(text):
        if quote:
            end = text.find(quote, at)
            if end < 0:
                break
            at, quote = end + len(quote), ""
        match = pattern.search(text, at)
        if match is None:
            break
        at, found = match.end(), match.group()
        if found in _TRIPLE:
            quote = found
        elif found in _CLOSER:
            brackets += found
        elif found in _CLOSER.values():
            if brackets and _CLOSER[brackets[-1]] == found:
                brackets = brackets[:-1]
            else:
                unmatched += found
        elif found[0] == '"' and not match["end"] and at == len(text):
            quote = '"'
    return Nesting(brackets, unmatched, quote)


def _pattern(comments: tuple[str, ...]) -> re.Pattern[str]:
    """Compiled by `re`, which remembers it."""
    comment = "|".join(re.escape(mark) + r"[^\n]*" for mark in comments) or r"(?!)"
    return re.compile(
        r'"""|' + r"'''|" + r'"(?:\\.|[^"\\\n])*(?P<end>"?)|' + r"'(?:\\.|[^'\\\n])*'|`[^`\n]*`|"
        rf"{comment}|[()\[\]{{}}]"
    )
