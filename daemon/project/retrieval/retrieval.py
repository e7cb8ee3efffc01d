"""Retrieval: what of a project's other files a completion should see, best first.

The definition of what is being called comes first, then code that is like what is being written,
then definitions of what the file uses: for a small model the second are worth far more than the
last (docs/decisions/project.md).
"""

from collections.abc import Iterator
from itertools import islice

from ....api.chunk import Chunk
from ..outline import Definition
from ..passages import Excerpt
from .candidates import Candidate, Query, Search
from .chunk import BRIEF_LINES, LONG_LINES, WITH_MEMBERS, chunk, of_excerpt
from .imports import Files
from .likeness import excerpts
from .ranking import Ranking, Weights
from .view import Index, View

MOST_CHUNKS = 24  # of definitions
FIRST = 3  # excerpts, before any definition
LEAST_SCORE = 1.5  # of what is worth its tokens


class Retrieval:
    """Answers for one project. Keeps nothing between two questions."""

    def __init__(self, index: Index, files: Files, weights: Weights | None = None) -> None:
        self._index = index
        self._files = files
        self._weights = weights or Weights()

    def wanted(self, query: Query) -> list[Chunk]:
        """What the completion at a cursor should see, best first; so many at most."""
        view = View(self._index, self._files, query.opened, query.path)
        search = Search(query, view)
        found = [each for each in search.candidates() if not _is_shown(each.definition, query)]
        ranking = Ranking(query, search.around, self._weights)
        scored = [(-ranking.score(each), each.place, each) for each in found]
        chosen = [each for score, _, each in sorted(scored) if -score >= LEAST_SCORE]
        called = [each for each in chosen if each.callee == 1]
        alike = excerpts(query, search.around, view)
        alike = [each for each in alike if not any(_shows(each, other) for other in called)]
        others = [each for each in chosen if each.callee != 1]
        others.sort(key=lambda each: any(_shows(excerpt, each) for excerpt in alike[:FIRST]))
        definitions = list(islice(_chunks([*called, *others], view), MOST_CHUNKS))
        shown = [of_excerpt(each) for each in alike]
        first = len(called)
        return [*definitions[:first], *shown[:FIRST], *definitions[first:], *shown[FIRST:]]


def _chunks(found: list[Candidate], view: View) -> Iterator[Chunk]:
    """Their texts; what a class shows already is not shown again."""
    texts: dict[str, str] = {}
    for candidate in found:
        definition = candidate.definition
        if definition.container and definition.signature in texts.get(definition.path, ""):
            continue
        has_members = definition.kind in WITH_MEMBERS
        members = view.members(definition.path, definition.name) if has_members else ()
        made = chunk(definition, members, LONG_LINES if candidate.known else BRIEF_LINES)
        texts[made.path] = texts.get(made.path, "") + made.text
        yield made


def _shows(excerpt: Excerpt, candidate: Candidate) -> bool:
    """Whether a definition stands in an excerpt."""
    definition = candidate.definition
    return excerpt.path == definition.path and definition.signature in excerpt.text


def _is_shown(definition: Definition, query: Query) -> bool:
    """Whether the prompt shows the same name with the same signature anyway."""
    start, stop = query.shown
    return bool(definition.signature) and query.text.find(definition.signature, start, stop) >= 0
