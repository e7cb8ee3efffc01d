"""The call, or the head of a function, in whose brackets a change was made."""

from dataclasses import dataclass

from .calls import MOST_CHARACTERS, call_around
from .change import Change
from .syntax.lexemes import Lexeme, lexemes

LINES_ABOVE = (0, 3, 12)  # in which the brackets may open: few first, a string may begin above


@dataclass(frozen=True, slots=True)
class Called:
    """`name(old)` became `name(new)`."""

    change: Change
    name: Lexeme
    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def is_regrouped(self) -> bool:
        """Whether there are more arguments now, or fewer, or the same in another order."""
        return len(self.old) != len(self.new) or sorted(self.old) == sorted(self.new)

    def is_like(self, other: "Called") -> bool:
        """Whether two were changed in the same way, as far as numbers of arguments tell."""
        grown = len(self.new) - len(self.old), len(other.new) - len(other.old)
        return self.name.text == other.name.text and grown[0] == grown[1]


def called_in(text: str, change: Change) -> Called | None:
    """None for a change that is in no brackets, or in more than one call's."""
    if not change.replaced:
        return None
    for lines in LINES_ABOVE:
        found = _called(text, change, _lines_above(text, change.start, lines))
        if found is not None:
            return found
    return None


def _lines_above(text: str, start: int, lines: int) -> int:
    first = start
    for _ in range(lines):
        first = text.rfind("\n", 0, max(0, first - 1)) + 1
    return max(first, start - MOST_CHARACTERS)


def _called(text: str, change: Change, start: int) -> Called | None:
    """Read from `start` on."""
    above = text[start : change.start]
    below = text[change.stop : change.stop + MOST_CHARACTERS]
    before = above + change.former + below
    after = above + text[change.start : change.stop] + below
    index = len(tuple(lexemes(above))) + change.replaced[0].left
    former = call_around(before, tuple(lexemes(before)), index)
    present = call_around(after, tuple(lexemes(after)), index)
    if former is None or present is None or former.name != present.name:
        return None
    if former.texts == present.texts or after[present.closing :] != before[former.closing :]:
        return None
    name = present.name
    return Called(
        change, Lexeme(name.kind, name.text, name.start + start), former.texts, present.texts
    )
