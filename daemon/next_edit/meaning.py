"""Which uses of a name mean the same, as far as the tree of one file tells."""

import re
from collections.abc import Iterable

from tree_sitter import Node

from .syntax.scopes import OWN, Role, Use, binding, is_imported, owner_name, uses
from .syntax.source import Source

OVERLOADING = frozenset(("cpp", "csharp", "java", "kotlin"))  # several methods by one name
LONGEST_HEAD = 300  # characters of a declaration that says what an object is


def same_meaning(source: Source, name: str, start: int) -> list[Use]:
    """The uses of a name that mean what the one at a character does, that among them. Where it is
    declared nowhere here, they look the same."""
    every = uses(source, name)
    subject = next((use for use in every if use.start == start), None)
    if subject is None:
        return []
    if subject.role is Role.MEMBER:
        return _same_member(source, subject, every)
    declared = [use for use in every if is_seen(use)]
    home = binding(source.language, subject.place, declared)
    if home is None:
        plain = [use for use in every if use.role is Role.PLAIN]
        return [u for u in plain if binding(source.language, u.place, declared) is None]
    if sum(use.home == home.home for use in declared) > 1:
        return []  # who knows which of them
    found = [use for use in every if means(source, use, declared, home)]
    if home.role is Role.MEMBER and home.owner is not None:
        found += [use for use in of_class(source, home.owner, every) if use not in found]
    return found


def _same_member(source: Source, subject: Use, every: list[Use]) -> list[Use]:
    owner = subject.owner
    if owner is not None and subject.receiver in ("", *OWN):
        declared = [use for use in every if is_member(use, owner) and not use.receiver]
        if len(declared) > 1 or not (declared or subject.receiver):
            return []  # who knows which of them
        seen = [use for use in every if is_seen(use)]
        plain = [use for use in every if declared and means(source, use, seen, declared[0])]
        return of_class(source, owner, every) + plain
    if not re.fullmatch(r"[^\W\d]\w*", subject.receiver):
        return []
    return [u for u in every if u.role is Role.MEMBER and u.receiver == subject.receiver]


def is_seen(use: Use) -> bool:
    """Whether it declares what a plain name may mean."""
    return use.declares and (use.role is Role.PLAIN or not use.receiver)


def means(source: Source, use: Use, declared: list[Use], home: Use) -> bool:
    """Whether a plain name has its declaration in the same scope."""
    if use.role is not Role.PLAIN or (is_imported(use) and not use.declares):
        return False
    found = binding(source.language, use.place, declared)
    return found is not None and found.home == home.home


def is_member(use: Use, owner: Node) -> bool:
    """Whether it declares a member of this class."""
    is_inside = use.owner is not None and use.owner.id == owner.id
    return use.declares and use.role is Role.MEMBER and is_inside


def of_class(source: Source, owner: Node, every: Iterable[Use]) -> list[Use]:
    """Members of the class, by its own name, or by that of an object which is known to be one."""
    name = owner_name(source, owner)
    found: list[Use] = []
    for use in every:
        if use.role is not Role.MEMBER:
            continue
        is_inside = use.owner is not None and use.owner.id == owner.id
        own = is_inside and use.receiver in ("", *OWN)
        if own or (name and (use.receiver == name or _is_instance(source, use, name))):
            found.append(use)
    return found


def _is_instance(source: Source, use: Use, name: str) -> bool:
    """Whether what stands before a member is declared as an object of a class, wherever it is."""
    receiver = use.receiver
    if not receiver or receiver in ("?", *OWN):
        return False
    before = source.text[: use.start].rstrip(".:>-?() \t\n")
    if not before.endswith(receiver):
        return False
    place = source.name_at(len(before) - len(receiver), len(before))
    if place is None:
        return False
    declared = [each for each in uses(source, receiver) if is_seen(each)]
    home = binding(source.language, place, declared)
    if home is None:
        return False
    ours = [each for each in declared if each.home == home.home]
    return all(_is_of(source.text, each, name) for each in ours)


def _is_of(text: str, declared: Use, name: str) -> bool:
    """Whether a declaration says that it is of a class."""
    place, escaped = declared.place, re.escape(name)
    behind = text[place.stop : place.stop + LONGEST_HEAD]
    typed = rf"\s*:\s*[&*]?(?:mut )?{escaped}\b(?!\s*[.\[|])"
    made = rf"\s*(?::\s*\w+\s*)?:?=\s*(?:new\s+|&)?{escaped}\s*[({{]"
    if re.match(f"{typed}|{made}", behind):
        return True
    before = text[max(0, place.start - LONGEST_HEAD) : place.start]
    return re.search(rf"\b{escaped}(?:<[^<>\n]{{0,80}}>)?\s*[*&]?\s*\Z", before) is not None
