"""The same change made more than once: wherever else its old form stands.

Two changes are enough to see what they have in common: the words that were the same in both, on
the left and on the right of what was changed, and those that differed, which may be anything.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .change import Change
from .meaning import is_seen
from .proposal import Proposal
from .syntax.lexemes import Lexeme
from .syntax.scopes import Role, binding, uses
from .syntax.source import Source

MOST_CONTEXT = 6  # lexemes on either side
LEAST_CONTEXT = 3  # of what was put between two of them
MOST_PLACES = 200
STRING = r"\"(?:\\.|[^\"\\\n]){0,200}+\"|'(?:\\.|[^'\\\n]){0,200}+'"
WORDS = r"(?<![\w$.])[$]?\w{1,80}+(?:\.\w{1,80}+){0,8}"
AWAIT = "await"

Row = tuple[Lexeme, ...]
WORD = re.compile(r"\w")
COMMENT = re.compile(r"/|#|--")  # what is commented out for a while


@dataclass(frozen=True, slots=True)
class Core:
    """What a change replaced, from the first difference to the last, and what is around it."""

    left: Row
    old: Row
    new: Row
    right: Row
    start: int  # in the text
    stop: int

    @classmethod
    def of(cls, change: Change) -> "Core | None":
        if not change.replaced:
            return None
        first, last = change.replaced[0], change.replaced[-1]
        left, right = first.left, last.right
        before, after = change.before, change.after
        old, new = before[left : len(before) - right], after[left : len(after) - right]
        if not old:  # the blanks around what was put in are part of it
            start = after[left - 1].stop if left else new[0].start
            end = after[-right].start if right else new[-1].stop
        elif new:
            start, end = new[0].start, new[-1].stop
        else:
            start = end = after[left - 1].stop if left else change.start
        return cls(before[:left], old, new, before[len(before) - right :], start, end)


@dataclass(frozen=True, slots=True)
class Part:
    """A lexeme of a form, or a place that takes any name or literal, the same for a number."""

    text: str
    hole: int | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """`old` between `left` and `right` became `new`."""

    left: tuple[str, ...]
    old: tuple[Part, ...]
    right: tuple[str, ...]
    new: tuple[Part, ...]
    spaced: str  # the new form as it was written, with marks for holes
    called: str  # in the brackets of what; empty: anywhere
    is_code: bool  # and not in strings
    holes: tuple[str, ...]  # what each may be, as a pattern

    @classmethod
    def of(cls, source: Source, one: Core, other: Core) -> "Repeated | None":
        """What two changes have in common; None if they are not the same."""
        holes: dict[tuple[str, str], int] = {}
        old = _common(one.old, other.old, holes, is_open=True)
        new = _common(one.new, other.new, holes, is_open=False)
        if old is None or new is None:
            return None
        left = _shared(one.left[::-1], other.left[::-1])[::-1]
        right = _shared(one.right, other.right)
        if not _says_enough(left, old, right) or COMMENT.match(one.new[0].text if one.new else ""):
            return None
        if not one.old and not (left and right):
            return None  # put in at the edge of what nobody knows
        called = {source.called_at(core.start) for core in (one, other)}
        name = called.pop() if len(called) == 1 else ""
        in_code = all(source.is_code(core.start) for core in (one, other))
        kinds = tuple(_pattern(pair) for pair in holes)
        return cls(left, old, right, new, _written(source.text, one, new), name, in_code, kinds)

    def proposals(self, source: Source) -> list[Proposal]:
        """Where the old form stands, in their order."""
        blanks = r"[^\S\n]*+" if self.old and self.left else ""
        left = r"\s*+".join(map(_word, self.left)) + blanks
        right = r"\s*+".join(map(_word, self.right))
        pattern = re.compile(rf"{left}(?P<core>{self._old()})(?=\s*+{right})")
        scope = self._scope(source)
        found: list[Proposal] = []
        for match in pattern.finditer(source.text):
            source.check()
            start, stop = match.span("core")
            if len(found) == MOST_PLACES:
                break
            if source.is_comment(start) or (self.is_code and not source.is_code(start)):
                continue
            if scope is not None and not scope(start):
                continue
            if self.called and source.called_at(start) != self.called:
                continue
            new = self.spaced
            for part in self.old:
                if part.hole is not None:
                    new = new.replace(f"\0{part.hole}\0", match.group(f"hole{part.hole}"))
            if _stands(source.text, start, stop, new) or not self._may_stand(source, start):
                continue
            start, stop = _whole_line(source.text, start, stop, new)
            found.append(Proposal(start, stop, source.text[start:stop], new, "as you did before"))
        return found

    def _scope(self, source: Source) -> "Callable[[int], bool] | None":
        """Where one name became another: not where the old one is declared, which is a rename."""
        if len(self.old) != 1 or len(self.new) != 1 or self.old[0].hole is not None:
            return None
        every = {use.start: use for use in uses(source, self.old[0].text)}
        declared = [use for use in every.values() if is_seen(use)]

        def is_free(start: int) -> bool:
            use = every.get(start)
            if use is None or use.role is not Role.PLAIN:
                return True
            home = binding(source.language, use.place, declared)
            return home is None or home.scope is None

        return is_free

    def _may_stand(self, source: Source, start: int) -> bool:
        """Not in the function that is called now, and nothing that is waited for where nobody
        can."""
        words = {part.text for part in self.new} - {part.text for part in self.old}
        names = source.names_around(start)
        if words & {name for name, _ in names}:
            return False
        return AWAIT not in words or any(is_async for _, is_async in names[:1])

    def _old(self) -> str:
        seen: set[int] = set()
        parts: list[str] = []
        for part in self.old:
            if part.hole is None:
                parts.append(_word(part.text))
            elif part.hole in seen:
                parts.append(f"(?P=hole{part.hole})")
            else:
                seen.add(part.hole)
                parts.append(f"(?P<hole{part.hole}>{self.holes[part.hole]})")
        return r"\s*+".join(parts) or r"[^\S\n]*+"


def _says_enough(left: tuple[str, ...], old: tuple[Part, ...], right: tuple[str, ...]) -> bool:
    """Whether the old form is one that does not stand everywhere: a word alone is not, unless it is
    called, or what stands beside it is a word, too."""
    fixed = [part.text for part in old if part.hole is None]
    words = [each for each in fixed if WORD.search(each)]
    if any(WORD.search(each) for each in (*left[-2:], *right[:2])):
        return bool(fixed) or len(left) + len(right) >= LEAST_CONTEXT
    return bool(words) and (len(fixed) > 1 or right[:1] == ("(",))


def _pattern(pair: tuple[str, str]) -> str:
    """What a hole takes: strings where there was one."""
    return f"{STRING}|{WORDS}" if any(each[:1] in "\"'" for each in pair) else WORDS


def _stands(text: str, start: int, stop: int, new: str) -> bool:
    """Whether the new form is there already, around the old one."""
    old, form = text[start:stop].strip(), new.strip()
    start = stop - len(text[start:stop].lstrip())
    places = (start - at for at in range(len(form) + 1) if form.startswith(old, at))
    return bool(form) and any(at >= 0 and text.startswith(form, at) for at in places)


def _whole_line(text: str, start: int, stop: int, new: str) -> tuple[int, int]:
    """With the line's end where nothing else would be left of it."""
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", stop)
    if new or text[first:start].strip() or last < 0 or text[stop:last].strip():
        return start, stop
    return first, last + 1


def _common(
    one: Row, other: Row, holes: dict[tuple[str, str], int], is_open: bool
) -> tuple[Part, ...] | None:
    """`is_open`: whether what differs may be a new hole."""
    if len(one) != len(other):
        return None
    parts: list[Part] = []
    for a, b in zip(one, other, strict=True):
        pair = a.text, b.text
        if a.text == b.text:
            parts.append(Part(a.text))
        elif pair in holes:
            parts.append(Part("", holes[pair]))
        elif is_open and a.is_value and b.is_value:
            parts.append(Part("", holes.setdefault(pair, len(holes))))
        else:
            return None
    return tuple(parts)


def _shared(one: Row, other: Row) -> tuple[str, ...]:
    words: list[str] = []
    for a, b in zip(one[:MOST_CONTEXT], other[:MOST_CONTEXT], strict=False):
        if a.text != b.text:
            break
        words.append(a.text)
    return tuple(words)


def _written(text: str, core: Core, parts: tuple[Part, ...]) -> str:
    """The new form with its blanks."""
    written, at = "", core.start
    for lexeme, part in zip(core.new, parts, strict=True):
        written += text[at : lexeme.start]
        written += lexeme.text if part.hole is None else f"\0{part.hole}\0"
        at = lexeme.stop
    return written + text[at : core.stop]


def _word(text: str) -> str:
    escaped = re.escape(text)
    before = r"(?<![\w$])" if re.match(r"[\w$]", text) else ""
    after = r"(?!\w)" if re.search(r"\w$", text) else ""
    return before + escaped + after
