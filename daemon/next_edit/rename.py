"""A name that was changed in one place, changed wherever it means the same thing."""

import builtins
import re
from dataclasses import dataclass

from .meaning import OVERLOADING, is_member, is_seen, means, of_class, same_meaning
from .proposal import Proposal
from .syntax.scopes import (
    OWN,
    Role,
    Use,
    binding,
    is_export,
    is_imported,
    is_of_another_scope,
    is_re_export,
    is_shorthand,
    owner_name,
    uses,
)
from .syntax.source import Source

SHADOWING = frozenset(("go", "kotlin", "lua", "rust"))
MAKING = re.compile(
    r"^(?:let_|short_var|var_spec|property_declaration|variable_declaration|range_clause|for_"
    r"|if_|while_|type_switch|receive_)"
)
MOST_HEAD = 300  # characters of a declaration
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
        if any(is_of_another_scope(use) for use in (*former, *present)):
            return []  # who declares it is not seen from here
        if _is_in_strings(source, self.old):
            return []  # where it is not seen
        if any(_is_over_itself(source, use) for use in (*former, *present) if use.declares):
            return []  # one name means two things in one statement
        match subject.role:
            case Role.LABEL:
                found = None
            case Role.PLAIN:
                found = self._plain(source, subject, former, done, others)
            case Role.MEMBER:
                found = self._members(source, subject, former, done, others)
            case Role.KEYWORD:
                found = self._keywords(source, subject, former)
        if found is None:
            return None
        sound = [use for use in found if not source.is_broken(use.place)]
        return [self._proposal(use) for use in sorted(sound, key=lambda use: use.start)]

    def _plain(
        self, source: Source, subject: Use, former: list[Use], done: list[Use], others: list[Use]
    ) -> list[Use] | None:
        """As if the names that were changed were still the old one."""
        declared = [use for use in (*former, *done) if is_seen(use)]
        home = binding(source.language, subject.place, declared)
        if home is None:
            return None
        same = [each for each in former if means(source, each, declared, home)]
        same = [each for each in same if not is_re_export(each)]
        taken = [use for use in others if is_seen(use)]
        if any(use.home == home.home for use in taken):
            return []  # there is something by that name
        if any(is_imported(use) for use in same if use.declares):
            return []  # it is imported twice
        if not all(means(source, use, [*taken, home], home) for use in same):
            return []  # something nearer has that name
        if subject.declares:
            inside = [use for use in others if means(source, use, [*taken, home], home)]
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
            same += of_class(source, home.owner, former)
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
        declared = [use for use in (*former, *done) if is_member(use, owner)]
        if not declared:
            return None
        if any(is_member(use, owner) for use in others):
            return []  # the class has one by that name
        heads = [use for use in declared if not use.receiver]
        if source.language in OVERLOADING and len(heads) > 1:
            return []  # there are several by that name
        found = of_class(source, owner, former)
        seen = [use for use in (*former, *done) if is_seen(use)]  # by which it may be named alone
        plain = [u for u in former if heads and means(source, u, seen, heads[0])]
        taken = [use for use in others if is_seen(use)]
        if any(binding(source.language, use.place, taken) is not None for use in plain):
            return []  # something nearer has that name
        return found + plain

    def _arguments(self, source: Source, parameter: Use, former: list[Use]) -> list[Use]:
        """Where calls name the parameter."""
        function = parameter.scope and parameter.scope.child_by_field_name("name")
        if function is None:
            return []
        name, start = source.text_of(function), source.character(function.start_byte)
        owner = parameter.owner
        if name in CONSTRUCTORS and owner is not None:
            name = owner_name(source, owner)
            made = owner.child_by_field_name("name")
            start = -1 if made is None else source.character(made.start_byte)
        return _named_in(source, name, start, former)

    def _keywords(self, source: Source, subject: Use, former: list[Use]) -> list[Use]:
        """Other calls of the same function."""
        called = source.call_around(subject.start)
        if called is None:
            return []
        return _named_in(source, called.name, called.start, former)

    def _proposal(self, use: Use) -> Proposal:
        new = self.new
        if is_export(use):
            new = f"{self.new} as {self.old}"
        elif is_shorthand(use):
            new = f"{self.old}: {self.new}"
        return Proposal(
            use.place.start, use.place.stop, self.old, new, f"{self.old} is now {self.new}"
        )


def _named_in(source: Source, function: str, start: int, former: list[Use]) -> list[Use]:
    """Where calls of the function, whose name stands at `start`, name a parameter."""
    same = {use.start for use in same_meaning(source, function, start)}
    found: list[Use] = []
    for use in former:
        called = source.call_around(use.start) if use.role is Role.KEYWORD else None
        if called is not None and called.start in same:
            found.append(use)
    return found


def _is_in_strings(source: Source, name: str) -> bool:
    """Whether strings may name it in a way that the tree does not show."""
    form = {"kotlin": rf"\$ {name}", "rust": rf"\{{ {name} [:}}]"}.get(source.language)
    return form is not None and re.search(form.replace(" ", ""), source.text) is not None


def _is_over_itself(source: Source, use: Use) -> bool:
    """Whether what is declared is made of something else by the same name."""
    if source.language not in SHADOWING or use.is_parameter:
        return False
    for step in reversed(use.place.steps[:-1]):
        if MAKING.search(step.node.type):
            head = source.text_of(step.node).partition("{")[0][:MOST_HEAD]
            name = re.escape(source.text[use.place.start : use.place.stop])
            return len(re.findall(rf"(?<![\w.]){name}(?!\w)", head)) > 1
    return False
