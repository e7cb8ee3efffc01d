"""What a hunk did, in lexemes: what stood in the lines that it is in, and what stands there now."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import accumulate

from .recent_edits import Hunk
from .syntax.lexemes import Lexeme, lexemes

WORDS = re.compile(r"\w+|\s+|[^\w\s]")
MOST_LINES = 12  # of a change, before and after
MOST_LEXEMES = 200
MOST_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True)
class Replaced:
    """`old` became `new`, either of which may be empty; `left` and `right`: how many lexemes of
    the change's lines stand before and behind it."""

    old: tuple[Lexeme, ...]
    new: tuple[Lexeme, ...]
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class Change:
    """Lexemes of whole lines: `before` by their places in the former text of the lines, which is
    `former`, `after` by those in the text as it is, in which the lines are `start .. stop`."""

    hunk: Hunk
    former: str
    start: int
    stop: int
    before: tuple[Lexeme, ...]
    after: tuple[Lexeme, ...]
    replaced: tuple[Replaced, ...]

    @property
    def renamed(self) -> Iterator[tuple[Lexeme, Lexeme]]:
        """Names in whose place others stand, also where something goes by another one."""
        for each in self.replaced:
            if len(each.old) == len(each.new):
                for old, new in zip(each.old, each.new, strict=True):
                    if old.kind == new.kind == "name" and old.text != new.text:
                        yield old, new
            elif not self._names_by_as:
                continue
            elif each.left and not each.old and [e.text for e in each.new[:-1]] == ["as"]:
                yield self.before[each.left - 1], each.new[-1]
            elif each.left and not each.new and [e.text for e in each.old[:-1]] == ["as"]:
                yield each.old[-1], self.after[len(self.after) - each.right - 1]

    @property
    def _names_by_as(self) -> bool:
        """Whether `as` gives something a name here, and is no cast."""
        words = {each.text for each in (*self.before, *self.after)}
        return not words.isdisjoint(("import", "with", "except", "export", "use"))

    @property
    def is_renaming(self) -> bool:
        """Whether it did nothing else."""
        return len(list(self.renamed)) == sum(
            max(len(each.old), len(each.new)) for each in self.replaced
        )


def changed_spans(text: str, hunk: Hunk) -> list[tuple[int, int]]:
    """Which characters of the text a hunk has changed, word by word."""
    after = text[hunk.start : hunk.stop]
    if after == hunk.old or max(len(after), len(hunk.old)) > MOST_CHARACTERS // 4:
        return [(hunk.start, hunk.stop)]
    words = [WORDS.findall(part) for part in (hunk.old, after)]
    places = [*accumulate(map(len, words[1]), initial=hunk.start)]
    codes = SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    return [(places[k], places[m]) for tag, _, _, k, m in codes if tag != "equal"]


def change_of(text: str, hunk: Hunk) -> Change | None:
    """What the hunk did; None for one that is too large, or adds or takes away whole lines."""
    if not hunk.old.strip() and "\n" in text[hunk.start : hunk.stop]:
        return None
    start = text.rfind("\n", 0, hunk.start) + 1
    stop = text.find("\n", hunk.stop)
    stop = len(text) if stop < 0 else stop
    if stop - start + len(hunk.old) > MOST_CHARACTERS:
        return None
    former = text[start : hunk.start] + hunk.old + text[hunk.stop : stop]
    if max(former.count("\n"), text.count("\n", start, stop)) >= MOST_LINES:
        return None
    before, after = tuple(lexemes(former)), tuple(lexemes(text, start, stop))
    if not before or not after or max(len(before), len(after)) > MOST_LEXEMES:
        return None
    words = [each.text for each in before], [each.text for each in after]
    codes = SequenceMatcher(None, *words, autojunk=False).get_opcodes()
    replaced = tuple(
        Replaced(before[i:j], after[k:m], i, len(before) - j)
        for tag, i, j, k, m in codes
        if tag != "equal"
    )
    return Change(hunk, former, start, stop, before, after, replaced)
