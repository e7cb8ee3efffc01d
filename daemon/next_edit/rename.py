"""A name that was changed in one place, changed wherever it means the same thing."""

import builtins
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tree_sitter import Node

from .proposal import Proposal
from .syntax.scopes import OWN, Role, Use, binding, is_imported, is_shorthand, owner_name, uses
from .syntax.source import Source

CONSTRUCTORS = frozenset(("__init__", "__new__", "constructor"))
BUILTINS = frozenset(dir(builtins))  # of Python, which are declared nowhere


@dataclass(frozen=True, slots=True)
class Rename:
    """`old` became `new` at these characters of the text, by the user's hand."""

    old: str
    new: str
    at: tuple[int, ...]

    def proposals(self, source: Source) -> list[Proposal] | None:
        """Where else, in their order; None where nobody can say what means the same."""
        former = uses(source, self.old)
        present = uses(source, self.new)
        done = [use for use in present if use.start in self.at]
        others = [use for use in present if use.start not in self.at]
        if not done:
            return None  # it is no name
        if not former:
            return []
        subject = done[0]
        match subject.role:
            case Role.PLAIN:
                found = self._plain(source, subject, former, done, others)
            case Role.MEMBER:
                found = self._members(source, subject, former, done, others)
            case Role.KEYWORD:
                found = self._keywords(source, subject, former)
        if found is None:
            return None
        return [self._proposal(use) for use in sorted(found, key=lambda use: use.start)]

    def _plain(
        self, source: Source, subject: Use, former: list[Use], done: list[Use], others: list[Use]
    ) -> list[Use] | None:
        """As if the names that were changed were still the old one."""
        declared = [use for use in (*former, *done) if _is_seen(source, use)]
        home = binding(source.language, subject.place, declared)
        if home is None:
            return None
        same = [each for each in former if _means(source, each, declared, home)]
        taken = [use for use in others if _is_seen(source, use)]
        if any(use.home == home.home for use in taken):
            return []  # there is something by that name
        if subject.declares:
            inside = [use for use in others if _means(source, use, [*taken, home], home)]
            is_first = all(use.start > subject.start for use in same if use.declares)
            if inside or not is_first:
                return []
        elif binding(source.language, subject.place, taken) is not None or self._is_known(
            source, others
        ):
            return None  # it means another thing now
        if home.is_parameter:
            same += self._arguments(source, home, former)
        if home.role is Role.MEMBER and home.owner is not None:
            same += _of_class(source, home.owner, former)
        return same

    def _is_known(self, source: Source, others: list[Use]) -> bool:
        """Whether the new name means something that this file does not declare."""
        if source.language == "python" and self.new in BUILTINS:
            return True
        return any(use.role is Role.PLAIN for use in others)

    def _members(
        self, source: Source, subject: Use, former: list[Use], done: list[Use], others: list[Use]
    ) -> list[Use] | None:
        owner = subject.owner
        if owner is None or subject.receiver not in ("", *OWN):
            return None
        declared = [use for use in (*former, *done) if _is_member(use, owner)]
        if not declared:
            return None
        if any(_is_member(use, owner) for use in others):
            return []  # the class has one by that name
        found = _of_class(source, owner, former)
        seen = [use for use in (*former, *done) if _is_seen(source, use)]
        plain = [use for use in declared if not use.receiver]  # by which it may be named alone
        return found + [u for u in former if plain and _means(source, u, seen, plain[0])]

    def _arguments(self, source: Source, parameter: Use, former: list[Use]) -> list[Use]:
        """Where calls name the parameter."""
        function = parameter.scope and parameter.scope.child_by_field_name("name")
        if function is None:
            return []
        name = source.text_of(function)
        if name in CONSTRUCTORS:
            name = owner_name(source, parameter.owner)
        return _named_in(source, name, former)

    def _keywords(self, source: Source, subject: Use, former: list[Use]) -> list[Use]:
        """Other calls of the same function."""
        return _named_in(source, source.called_at(subject.start), former)

    def _proposal(self, use: Use) -> Proposal:
        new = f"{self.old}: {self.new}" if is_shorthand(use) else self.new
        return Proposal(
            use.place.start, use.place.stop, self.old, new, f"{self.old} is now {self.new}"
        )


def _named_in(source: Source, function: str, former: list[Use]) -> list[Use]:
    """Where calls of the function name a parameter."""
    keywords = [use for use in former if use.role is Role.KEYWORD]
    return [use for use in keywords if source.called_at(use.start) == function]


def _is_seen(source: Source, use: Use) -> bool:
    """Whether it declares what a plain name may mean."""
    return use.declares and (use.role is Role.PLAIN or not use.receiver)


def _means(source: Source, use: Use, declared: list[Use], home: Use) -> bool:
    """Whether a plain name has its declaration in the same scope."""
    if use.role is not Role.PLAIN or (is_imported(use) and not use.declares):
        return False
    found = binding(source.language, use.place, declared)
    return found is not None and found.home == home.home


def _is_member(use: Use, owner: Node) -> bool:
    """Whether it declares a member of this class."""
    is_inside = use.owner is not None and use.owner.id == owner.id
    return use.declares and use.role is Role.MEMBER and is_inside


def _of_class(source: Source, owner: Node, former: list[Use]) -> list[Use]:
    """Members of the class, by its own name, or by that of an object which is known to be one."""
    name = owner_name(source, owner)
    objects = {name, *_instances(source.text, name)}
    found: list[Use] = []
    for use in former:
        is_inside = use.owner is not None and use.owner.id == owner.id
        own = is_inside and use.receiver in ("", *OWN)
        if use.role is Role.MEMBER and (own or use.receiver in objects):
            found.append(use)
    return found


def _instances(text: str, name: str) -> Iterable[str]:
    """Names of what is made of a class, or said to be of it."""
    if not name:
        return []
    made = rf"(?<![\w$])([\w$]{{1,80}}) ?(?::=|=|:) ?(?:new |&)?{re.escape(name)}\b"
    typed = rf"\b{re.escape(name)}(?:<[^<>\n]{{0,80}}>)? ?[*&]? ([\w$]{{1,80}}) ?[=;,)]"
    return {*re.findall(made, text), *re.findall(typed, text)}
