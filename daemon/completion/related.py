"""Lines after the cursor that an edit concerns: they share an identifier with it.

Carried tokens have not seen the edit. Where it renames something, changes a signature or adds an
import, the lines that use the name are those that ought to see it.
"""

import re
from dataclasses import dataclass, field

IDENTIFIER = re.compile(r"[^\W\d]\w{2,}")
COMMON = """
and async await break case class const continue def elif else except export extends false final
finally for from func function impl import interface let match mut new none not null package pass
private protected pub public raise return self static struct super switch this throw true try type
use var void while with yield
"""
KEYWORDS = frozenset(COMMON.split())  # of many languages: every line has them


@dataclass(slots=True)
class Related:
    """Collects the names in edits since the last prompt."""

    names: set[str] = field(default_factory=set)

    def saw(self, text: str, start: int, old: str, new: str) -> None:
        """An edit put `new` for `old` at `start` of what is now `text`. Words that the edit only
        touches count as well."""
        stop = start + len(new)
        while start > 0 and (text[start - 1].isalnum() or text[start - 1] == "_"):
            start -= 1
        while stop < len(text) and (text[stop].isalnum() or text[stop] == "_"):
            stop += 1
        found = IDENTIFIER.findall(text[start:stop]) + IDENTIFIER.findall(old)
        self.names |= {name for name in found if name.lower() not in KEYWORDS}

    def clear(self) -> None:
        self.names.clear()

    def lines(self, text: str, start: int, stop: int, most: int) -> list[tuple[int, int]]:
        """Up to `most` lines of `text[start:stop]` with one of the names, as character spans,
        nearest to `start` first."""
        if not most or not self.names:
            return []
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, sorted(self.names)))})\b")
        found: list[tuple[int, int]] = []
        at = start
        while len(found) < most and (match := pattern.search(text, at, stop)):
            first = max(text.rfind("\n", start, match.start()) + 1, start)
            end = text.find("\n", match.end(), stop)
            at = stop if end < 0 else end + 1
            found.append((first, at))
        return found
