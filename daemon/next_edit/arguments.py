"""A call that was given other arguments, or a function other parameters: the other calls of it."""

import re
from dataclasses import dataclass

from .calls import Argument, Call, calls
from .meaning import is_seen, same_meaning
from .proposal import Proposal
from .syntax.lexemes import lexemes
from .syntax.scopes import OWN, binding, use_of, uses
from .syntax.source import Source

BOUND = re.compile(r"\b(?:await|yield|this|self|super|cls)\b|\b[fF][rR]?[\"']|`|\$\{")
COMMENT = re.compile(r"#|//|/\*|--")
SEVERAL = 2  # places where the user did it: it is meant


@dataclass(frozen=True, slots=True)
class Arguments:
    """A call, or a head, of `name` at `start` had `old` in its brackets and has `new`. `same`:
    where the names are of all that were changed like that."""

    name: str
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]
    same: tuple[int, ...]

    def proposals(self, source: Source) -> list[Proposal]:
        """The other calls of it, in their order."""
        same = {use.start for use in same_meaning(source, self.name, self.start)}
        found = [call for call in calls(source, self.name) if call.name.start in same]
        heads = [call for call in found if _is_head(source, call)]
        if len(heads) > 1:
            return []  # who knows which of them is called
        rest = [e for e in found if e not in heads and e.name.start not in self.same]
        if heads and heads[0].name.start == self.start:
            made = [self._by_head(call) for call in rest]
        else:
            done = sum(call.name.start in self.same for call in found if call not in heads)
            head = heads[0] if heads else None
            rest = [call for call in rest if self._is_known(source, call)]
            made = [self._by_call(call, head, done >= SEVERAL) for call in rest]
        return [each for each in made if each is not None]

    def _is_known(self, source: Source, call: Call) -> bool:
        """Whether what is passed now means the same at another call."""
        here = source.name_at(self.start, self.start + len(self.name))
        there = source.name_at(call.name.start, call.name.stop)
        if here is None or there is None:
            return False
        for text in (each for each in self.new if each not in self.old):
            if BOUND.search(text):
                return False  # to the function that it stands in
            for lexeme in lexemes(text):
                if lexeme.kind != "name":
                    continue
                declared = [use for use in uses(source, lexeme.text) if is_seen(use)]
                homes = [binding(source.language, place, declared) for place in (here, there)]
                if len({home and home.home for home in homes}) > 1:
                    return False
        return True

    def _by_call(self, call: Call, head: Call | None, is_meant: bool) -> Proposal | None:
        """The call changed as the other one was: if the function's head is as it has to be for
        that, or the user did it more than once."""
        old, new = self.old, self.new
        longer, shorter = (new, old) if len(new) > len(old) else (old, new)
        at = next((i for i, each in enumerate(shorter) if longer[i] != each), len(shorter))
        if len(longer) != len(shorter) + 1 or longer[:at] + longer[at + 1 :] != shorter:
            return None
        if any(_is_generator(each) for each in call.texts):
            return None  # it may be alone in its brackets only
        change = self._added if longer is new else self._removed
        return change(call, longer[at], at, head, is_meant)

    def _added(
        self, call: Call, text: str, at: int, head: Call | None, is_meant: bool
    ) -> Proposal | None:
        keyword = Argument(0, 0, text).keyword
        if keyword:
            known = head is not None and keyword in _required(head)
            if any(each.keyword == keyword for each in call.arguments) or not (known or is_meant):
                return None
            return _inserted(call, text, len(call.arguments))
        known = head is not None and len(_required(head)) == len(self.new)
        if len(call.arguments) != len(self.old) or not (known or is_meant):
            return None
        if not call.is_by_place:
            return None  # nobody knows which places are taken
        return _inserted(call, text, at)

    def _removed(
        self, call: Call, text: str, at: int, head: Call | None, is_meant: bool
    ) -> Proposal | None:
        row, keyword = call.arguments, Argument(0, 0, text).keyword
        if keyword:
            place = next((i for i, each in enumerate(row) if each.keyword == keyword), None)
            known = head is not None and keyword not in [e.parameter for e in head.arguments]
        else:
            place = at if call.is_by_place and len(row) == len(self.old) else None
            known = head is not None and len(_required(head)) == len(self.new)
        return _without(call, place) if place is not None and (known or is_meant) else None

    def _by_head(self, call: Call) -> Proposal | None:
        """The call put right for the parameters that there are now."""
        old, new = _parameters(self.old), _parameters(self.new)
        before, after = [_declared(each) for each in old], [_declared(each) for each in new]
        if _starred(self.old) != _starred(self.new):
            return None  # who knows what they take
        if set(before) != set(after) and len(before) == len(after):
            return None  # one was renamed, or is of another type
        if len({*before}) != len(before):
            return None
        row = call.arguments
        if not call.is_by_place:
            lost = {e.parameter for e in old} - {e.parameter for e in new}
            gone = [i for i, each in enumerate(row) if each.keyword in lost]
            return _without(call, gone[0]) if len(gone) == 1 else None
        if len(row) > len(old):
            return None
        given = dict(zip(before, call.texts, strict=False))
        passed = [given[name] for name in after if name in given]
        is_whole = after[: len(passed)] == [name for name in after if name in given]
        required = {_declared(each) for each in new if not each.keyword}
        if not is_whole or not required <= {*after[: len(passed)]}:
            return None  # nobody knows what is to be passed
        if tuple(passed) == call.texts:
            return None
        for at in range(len(row)):
            if [*call.texts[:at], *call.texts[at + 1 :]] == passed:
                return _without(call, at)
        inside = call.text[row[0].start : row[-1].stop]
        if len(passed) != len(row) or "\n" in inside or COMMENT.search(inside):
            return None
        why = f"the parameters of {self.name} have changed"
        return _made(call, row[0].start, row[-1].stop, ", ".join(passed), why)


def _parameters(texts: tuple[str, ...]) -> list[Argument]:
    """Without the object itself, and marks."""
    row = [Argument(0, 0, text) for text in texts if text not in ("*", "/")]
    if row and row[0].parameter in OWN:
        del row[0]
    return [each for each in row if not each.text.startswith("*")]


def _declared(parameter: Argument) -> str:
    """Without a default."""
    return parameter.text.partition("=")[0].strip() if parameter.keyword else parameter.text


def _starred(texts: tuple[str, ...]) -> list[str]:
    return [each for each in texts if each.startswith(("*", "...")) or each == "/"]


def _is_generator(argument: str) -> bool:
    """Whether there is a `for` in it, outside of brackets."""
    depth = 0
    for each in lexemes(argument):
        depth += (each.text in "([{") - (each.text in ")]}")
        if depth == 0 and each.text == "for":
            return True
    return False


def _required(head: Call) -> list[str]:
    """The names of parameters that every call must give."""
    return [each.parameter for each in _parameters(head.texts) if not each.keyword]


def _is_head(source: Source, call: Call) -> bool:
    """Whether it is a function's head."""
    place = source.name_at(call.name.start, call.name.stop)
    return place is not None and use_of(source, place).declares


def _inserted(call: Call, text: str, at: int) -> Proposal:
    why = f"{call.name.text} is called with {text}"
    row = call.arguments
    if not row:
        return _made(call, call.opening + 1, call.opening + 1, text, why)
    if at >= len(row):
        return _made(call, row[-1].stop, row[-1].stop, f", {text}", why)
    return _made(call, row[at].start, row[at].start, f"{text}, ", why)


def _without(call: Call, at: int) -> Proposal | None:
    """None where a comment may go, too: also of the line above, which is read as its beginning."""
    row, why = call.arguments, f"{call.name.text} is called without {call.arguments[at].text}"
    start, stop = row[at].start, row[at].stop
    if at + 1 < len(row):
        stop = row[at + 1].start
    elif at:
        start = row[at - 1].stop
    if COMMENT.search(call.text[start:stop]):
        return None
    return _made(call, start, stop, "", why)


def _made(call: Call, start: int, stop: int, new: str, why: str) -> Proposal:
    return Proposal(start, stop, call.text[start:stop], new, why)
