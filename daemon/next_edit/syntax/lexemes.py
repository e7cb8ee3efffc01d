"""Code as a row of words, numbers, strings and signs, in any language: enough to say what an edit
did, and to count the arguments of a call. What is wrong in a file may be cut wrongly here, too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LEXEME = re.compile(
    r"""
    (?P<string> \"{3}.*?\"{3} | '{3}.*?'{3} | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' )
  | (?P<name> [$]?[^\W\d]\w* )
  | (?P<number> \d[\w.]* )
  | (?P<sign> -> | => | :: | \?\. | [-+*/%&|^<>=!:]= | [^\w\s] )
    """,
    re.VERBOSE | re.DOTALL,
)
CLOSERS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Lexeme:
    kind: str
    text: str
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.text)

    @property
    def is_value(self) -> bool:
        """Whether it may stand for something else: a name or a literal."""
        return self.kind != "sign"


def lexemes(text: str, start: int = 0, stop: int | None = None) -> Iterator[Lexeme]:
    """Those of `text` between two characters, without the blanks between them."""
    for found in LEXEME.finditer(text, start, len(text) if stop is None else stop):
        yield Lexeme(found.lastgroup or "sign", found.group(), found.start())
