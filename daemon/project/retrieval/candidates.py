"""Candidates: definitions of other files that a completion might need, and what speaks for each."""

import builtins
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from posixpath import dirname

from ..outline import Definition, Outline
from .chunk import WITH_MEMBERS
from .origins import Origins, origins
from .surroundings import Call, Surroundings, surroundings, type_of
from .view import View

MOST_OF_A_NAME = 3  # definitions; a name that has more says nothing
MOST_NAMES = 64  # looked up at once, the nearest to the cursor
MOST_RECENT = 4  # files
MOST_OF_A_FILE = 3  # definitions of a file visited last
FAMILIES = (
    ("typescript", "typescriptreact", "javascript", "javascriptreact", "vue", "svelte"),
    ("c", "cpp"),
    ("java", "kotlin"),
)


@dataclass(frozen=True, slots=True)
class Query:
    """A cursor in a file. `outline` is the file's own, and may be a moment older than `text`."""

    path: str
    language: str
    text: str
    cursor: int  # a character offset
    outline: Outline
    opened: Mapping[str, Outline] = field(default_factory=dict)  # other open files, by path
    recent: tuple[str, ...] = ()  # paths visited or edited last, the latest first
    shown: tuple[int, int] = (0, 0)  # the characters of `text` that the prompt shows
    held: frozenset[tuple[str, int]] = frozenset()  # path and line of excerpts shown already


@dataclass(slots=True)
class Candidate:
    definition: Definition
    names: set[str] = field(default_factory=set)  # by which the file would use it
    callee: int = 0  # 1: whose arguments are being written; 2: the call around that
    imported: bool = False
    base: bool = False
    distance: int | None = None  # lines to the nearest use
    recent: int | None = None  # rank

    @property
    def known(self) -> bool:
        """Whether the file refers to it, and not only something of the same name."""
        return self.imported or self.base or self.callee > 0

    @property
    def place(self) -> tuple[str, int, str]:
        return _place(self.definition)


class Search:
    """One question's candidates."""

    def __init__(self, query: Query, view: View) -> None:
        self._query = query
        self._view = view
        self._origins: Origins = origins(query.outline, view)
        lines = {each.line for each in query.outline.imports}
        self.around: Surroundings = surroundings(query.text, query.cursor, query.language, lines)
        self._languages = family(query.language)
        self._found: dict[tuple[str, int, str], Candidate] = {}

    def candidates(self) -> list[Candidate]:
        self._add_imported()
        self._add_module_members()
        self._add_named()
        self._add_callees()
        self._add_bases()
        self._add_recent()
        return list(self._found.values())

    # region From what, in turn
    def _add_imported(self) -> None:
        for name, definitions in self._origins.names.items():
            for definition in definitions[:MOST_OF_A_NAME]:
                self._add(definition, name, self.around.distances.get(name)).imported = True

    def _add_module_members(self) -> None:
        for module, paths in self._origins.modules.items():
            attributes = self.around.attributes.get(module, {})
            for definition in self._inside(paths, attributes):
                name = definition.name
                self._add(definition, name, attributes[name]).imported = True

    def _add_named(self) -> None:
        """Names near the cursor that neither the file defines nor its imports explain."""
        own = {each.name for each in self._query.outline.definitions}
        known = own | self._origins.names.keys() | self._origins.modules.keys()
        distances = dict(self.around.distances)
        for attributes in self.around.attributes.values():
            for name, distance in attributes.items():
                distances[name] = min(distance, distances.get(name, distance))
        unknown = sorted((d, n) for n, d in distances.items() if n not in known and len(n) > 2)
        names = [name for _, name in unknown[:MOST_NAMES]]
        by_name: dict[str, list[Definition]] = {}
        for definition in self._view.named(names, self._languages) if names else ():
            by_name.setdefault(definition.name, []).append(definition)
        opened = set(self._origins.opened)
        for name, definitions in by_name.items():
            near = [each for each in definitions if each.path in opened]
            chosen = near or self._few([each for each in definitions if _is_open(each)])
            for definition in chosen[:MOST_OF_A_NAME]:
                self._add(definition, name, distances[name]).imported |= bool(near)

    def _add_callees(self) -> None:
        for rank, call in enumerate(self.around.calls, 1):
            for definition in self._called(call)[:MOST_OF_A_NAME]:
                candidate = self._add(definition, call.name, 0)
                candidate.callee = min(rank, candidate.callee or rank)

    def _add_bases(self) -> None:
        line = self._query.text.count("\n", 0, self._query.cursor)
        for each in self._query.outline.definitions:
            if each.kind in WITH_MEMBERS and each.line <= line <= each.end_line + 1:
                for name in re.findall(r"[^\W\d]\w*", each.signature):
                    for definition in self._origins.names.get(name, ()):
                        if definition.kind in WITH_MEMBERS:
                            self._add(definition, name, None).base = True

    def _add_recent(self) -> None:
        others = (path for path in self._query.recent if path != self._query.path)
        for rank, path in zip(range(MOST_RECENT), others, strict=False):
            for definition in self._view.members(path)[:MOST_OF_A_FILE]:
                self._add(definition, definition.name, None).recent = rank

    # endregion
    def _called(self, call: Call) -> list[Definition]:
        """The definitions that a call may mean, by what its receiver is."""
        if not call.receiver:
            return self._origins.names.get(call.name) or self._found_as(call.name)
        if paths := self._origins.modules.get(call.receiver):
            return self._inside(paths, [call.name])
        owner = call.receiver
        if owner not in self._origins.names:
            owner = type_of(owner, self._query.text, self._query.cursor).replace("::", ".")
        outer, _, inner = owner.rpartition(".")
        classes = self._origins.names.get(owner) or self._inside(
            self._origins.modules.get(outer, ()), [inner]
        )
        members = [
            member
            for each in classes
            for member in self._view.inside(each.path, [call.name])
            if member.container == each.name
        ]
        return members or self._found_as(call.name)

    def _found_as(self, name: str) -> list[Definition]:
        return [each.definition for each in self._found.values() if name in each.names]

    def _inside(self, paths: Iterable[str], names: Iterable[str]) -> list[Definition]:
        wanted = set(names)
        found = (
            [each for path in paths for each in self._view.inside(path, wanted)] if wanted else []
        )
        return [each for each in found if not each.container]

    def _few(self, definitions: list[Definition]) -> list[Definition]:
        """Those of a name that are worth showing: of the same folder, or if there are few."""
        folder = dirname(self._query.path)
        beside = [each for each in definitions if dirname(each.path) == folder]
        chosen = beside or definitions
        return chosen if len(chosen) <= MOST_OF_A_NAME else []

    def _add(self, definition: Definition, name: str, distance: int | None) -> Candidate:
        found = self._found.setdefault(_place(definition), Candidate(definition))
        found.names.add(name)
        if distance is not None:
            found.distance = min(
                distance, found.distance if found.distance is not None else distance
            )
        return found


def _is_open(definition: Definition) -> bool:
    """Whether other files may mean it without saying where it comes from."""
    name = definition.name
    return definition.language != "python" or (name[0] != "_" and not hasattr(builtins, name))


def _place(definition: Definition) -> tuple[str, int, str]:
    return definition.path, definition.line, definition.name


def family(language: str) -> tuple[str, ...]:
    """The languages whose names a file may use."""
    return next((family for family in FAMILIES if language in family), (language,))
