"""Retrieval: which definitions of a project's other files a completion should see, best first.

Candidates come from what the file imports, from the call whose arguments are being written, from
the names around the cursor, the class that is extended, the files visited last, and by likeness.
The order is a weighted sum of simple features, of the file and of the lines around the cursor
rather than of the last letters: while an identifier is typed nothing moves, so that what a model
has encoded of the chunks stays of use.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import dirname

from .chunk import BRIEF_LINES, LONG_LINES, WITH_MEMBERS, Chunk, chunk
from .imports import Files
from .origins import Origins, origins
from .outline import Definition, Outline
from .surroundings import Call, Surroundings, surroundings, type_of
from .view import Index, View

MOST_CHUNKS = 24
MOST_OF_A_NAME = 3  # definitions; a name that has more says nothing
MOST_NAMES = 80  # looked up at once, the nearest to the cursor
MOST_RECENT = 4  # files
MOST_OF_A_FILE = 3  # definitions of a file visited last
MOST_SIMILAR = 6
LONG = 6  # the first chunks are shown at length
FAMILIES = (
    ("typescript", "typescriptreact", "javascript", "javascriptreact", "vue", "svelte"),
    ("c", "cpp"),
    ("java", "kotlin"),
)


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature adds to a candidate's score; found by `tests/bench/project_quality.py
    --retrieval-only`, see docs/decisions/project.md."""

    callee: float = 6.0  # the call whose arguments are being written
    outer_callee: float = 2.5  # the call around that
    base: float = 2.0  # the class that is extended where the cursor is
    imported: float = 1.5
    near: float = 2.0  # for a use in the cursor's line; half as much `half_lines` away
    half_lines: float = 8.0
    uses: float = 0.25  # for each doubling of the uses in the file
    unused: float = 0.5  # imported, and not used yet
    same_folder: float = 0.5
    recent: float = 0.75
    similar: float = 0.75  # the most similar; the second half as much


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


@dataclass(slots=True)
class Candidate:
    definition: Definition
    names: set[str] = field(default_factory=set)  # by which the file would use it
    callee: int = 0  # 1: whose arguments are being written; 2: the call around that
    imported: bool = False
    base: bool = False
    distance: int | None = None  # lines to the nearest use
    recent: int | None = None  # rank
    similar: int | None = None  # rank


class Retrieval:
    """Answers for one project. Keeps nothing between two questions."""

    def __init__(self, index: Index, files: Files, weights: Weights | None = None) -> None:
        self._index = index
        self._files = files
        self._weights = weights or Weights()

    def wanted(self, query: Query) -> list[Chunk]:
        """What the completion at a cursor should see, best first; at most `MOST_CHUNKS`."""
        view = View(self._index, query.opened, query.path)
        search = _Search(query, view, self._files)
        found = [each for each in search.candidates() if not _is_shown(each.definition, query)]
        found.sort(key=lambda each: (-self._score(each, query), *_place(each.definition)))
        return list(_chunks(found, view))[:MOST_CHUNKS]

    def _score(self, candidate: Candidate, query: Query) -> float:
        weights = self._weights
        uses = max((query.outline.uses.get(name, 0) for name in candidate.names), default=0)
        uses -= candidate.imported  # where it is imported it is not used
        score = weights.uses * math.log2(1 + max(0, uses))
        score += weights.callee * (candidate.callee == 1)
        score += weights.outer_callee * (candidate.callee == 2)
        score += weights.base * candidate.base + weights.imported * candidate.imported
        score += weights.unused * (candidate.imported and uses <= 0)
        if candidate.distance is not None:
            score += weights.near / (1 + candidate.distance / weights.half_lines)
        if dirname(candidate.definition.path) == dirname(query.path):
            score += weights.same_folder
        if candidate.recent is not None:
            score += weights.recent / (1 + candidate.recent)
        if candidate.similar is not None:
            score += weights.similar / (1 + candidate.similar)
        return score


class _Search:
    """One question's candidates."""

    def __init__(self, query: Query, view: View, files: Files) -> None:
        self._query = query
        self._view = view
        self._origins: Origins = origins(query.outline, view, files)
        lines = {each.line for each in query.outline.imports}
        self._around: Surroundings = surroundings(query.text, query.cursor, query.language, lines)
        self._languages = _family(query.language)
        self._found: dict[tuple[str, int, str], Candidate] = {}

    def candidates(self) -> list[Candidate]:
        self._add_imported()
        self._add_module_members()
        self._add_named()
        self._add_callees()
        self._add_bases()
        self._add_recent()
        self._add_similar()
        return list(self._found.values())

    # region From what, in turn
    def _add_imported(self) -> None:
        for name, definitions in self._origins.names.items():
            for definition in definitions[:MOST_OF_A_NAME]:
                self._add(definition, name, self._around.distances.get(name)).imported = True

    def _add_module_members(self) -> None:
        for module, paths in self._origins.modules.items():
            attributes = self._around.attributes.get(module, {})
            for definition in self._inside(paths, attributes):
                name = definition.name
                self._add(definition, name, attributes[name]).imported = True

    def _add_named(self) -> None:
        """Names near the cursor that neither the file defines nor its imports explain."""
        own = {each.name for each in self._query.outline.definitions}
        known = own | self._origins.names.keys() | self._origins.modules.keys()
        distances = dict(self._around.distances)
        for attributes in self._around.attributes.values():
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
            chosen = near or self._few(definitions)
            for definition in chosen[:MOST_OF_A_NAME]:
                self._add(definition, name, distances[name]).imported |= bool(near)

    def _add_callees(self) -> None:
        for rank, call in enumerate(self._around.calls, 1):
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
            top = [each for each in self._view.inside(path) if not each.container]
            for definition in top[:MOST_OF_A_FILE]:
                self._add(definition, definition.name, None).recent = rank

    def _add_similar(self) -> None:
        words = sorted(self._around.distances)
        found = self._view.similar(words, self._languages, MOST_SIMILAR) if words else ()
        for rank, definition in enumerate(found):
            self._add(definition, definition.name, None).similar = rank

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


def _chunks(found: list[Candidate], view: View) -> Iterator[Chunk]:
    """Their texts; what a class shows already is not shown again."""
    texts: dict[str, str] = {}
    for rank, candidate in enumerate(found):
        definition = candidate.definition
        if definition.container and definition.signature in texts.get(definition.path, ""):
            continue
        is_long = rank < LONG or candidate.callee or candidate.base
        members = view.inside(definition.path) if definition.kind in WITH_MEMBERS else ()
        made = chunk(definition, members, LONG_LINES if is_long else BRIEF_LINES)
        texts[made.path] = texts.get(made.path, "") + made.text
        yield made


def _is_shown(definition: Definition, query: Query) -> bool:
    """Whether the prompt shows the same name with the same signature anyway."""
    start, stop = query.shown
    return bool(definition.signature) and query.text.find(definition.signature, start, stop) >= 0


def _place(definition: Definition) -> tuple[str, int, str]:
    return definition.path, definition.line, definition.name


def _family(language: str) -> tuple[str, ...]:
    """The languages whose names a file may use."""
    return next((family for family in FAMILIES if language in family), (language,))
