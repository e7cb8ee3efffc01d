"""The ranking of candidates: a weighted sum of simple features.

They are features of the file and of the lines around the cursor rather than of the last letters:
while an identifier is typed nothing moves, so that what a model has encoded stays of use.
"""

import math
import re
from dataclasses import dataclass, fields
from operator import attrgetter, mul
from posixpath import dirname

from .candidates import Candidate, Query
from .surroundings import Surroundings

NEAR_LINES = 10  # in which a definition's words are looked for
WORD = re.compile(r"[^\W\d]\w*")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
FUNCTIONS = ("function", "method")
CLASSES = ("class", "struct")


@dataclass(frozen=True, slots=True)
class Features:
    """What speaks for a candidate, each from 0 to 1."""

    callee: float  # its arguments are being written
    outer_callee: float  # … and those of a call within them
    base: float  # the cursor is in a class that extends it
    imported: float
    near: float  # how near its nearest use is
    uses: float  # in the file
    unused: float  # imported, and not used yet
    fed: float  # the share of the words of its signature that stand near the cursor
    alike: float  # the share of its name's parts that stand near the cursor
    function: float
    kind_of_class: float
    member: float
    same_folder: float
    recent: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature counts; found by `tests/bench/project/quality.py --retrieval-only`, see
    docs/decisions/project.md."""

    callee: float = 6.0
    outer_callee: float = 2.0
    base: float = 0.5
    imported: float = 2.75
    near: float = 1.5
    uses: float = 0.25
    unused: float = 1.0
    fed: float = 0.3
    alike: float = 0.5
    function: float = 2.25
    kind_of_class: float = 1.1
    member: float = -0.9
    same_folder: float = 0.4
    recent: float = 0.75


EACH = attrgetter(*(field.name for field in fields(Features)))


class Ranking:
    """Of one question's candidates."""

    def __init__(self, query: Query, around: Surroundings, weights: Weights) -> None:
        self._query = query
        self._weights = EACH(weights)
        near = {name for name, away in around.distances.items() if away <= NEAR_LINES}
        for attributes in around.attributes.values():
            near |= {name for name, away in attributes.items() if away <= NEAR_LINES}
        self._near = near
        self._counts: dict[str, int] = {}  # of parts of names, each counted once a name
        for name in near:
            for part in _parts(name):
                self._counts[part] = self._counts.get(part, 0) + 1

    def score(self, candidate: Candidate) -> float:
        return sum(map(mul, self._weights, EACH(self.features(candidate))))

    def features(self, candidate: Candidate) -> Features:
        definition, query = candidate.definition, self._query
        uses = max((query.outline.uses.get(name, 0) for name in candidate.names), default=0)
        uses = max(0, uses - candidate.imported)  # where it is imported it is not used
        distance = candidate.distance
        return Features(
            callee=candidate.callee == 1,
            outer_callee=candidate.callee == 2,
            base=candidate.base,
            imported=candidate.imported,
            near=0 if distance is None else 1 / (1 + distance / 8),
            uses=min(1, math.log2(1 + uses) / 4),
            unused=candidate.imported and not uses,
            fed=self._fed(candidate),
            alike=self._alike(candidate),
            function=definition.kind in FUNCTIONS,
            kind_of_class=definition.kind in CLASSES,
            member=bool(definition.container),
            same_folder=dirname(definition.path) == dirname(query.path),
            recent=0 if candidate.recent is None else 1 / (1 + candidate.recent),
        )

    def _fed(self, candidate: Candidate) -> float:
        words = {w for w in WORD.findall(candidate.definition.signature) if len(w) > 2}
        words -= {candidate.definition.name, *candidate.names}
        return len(words & self._near) / max(3, len(words))

    def _alike(self, candidate: Candidate) -> float:
        name = candidate.definition.name
        parts = _parts(name)
        itself = name in self._near
        known = [part for part in parts if self._counts.get(part, 0) > itself]
        return len(known) / max(2, len(parts))


def _parts(name: str) -> set[str]:
    return {part.lower() for part in PART.findall(name) if len(part) > 2}
