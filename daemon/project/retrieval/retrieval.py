"""Retrieval: which definitions of a project's other files a completion should see, best first."""

from collections.abc import Iterator
from itertools import islice

from ..outline import Definition
from .candidates import Candidate, Query, Search
from .chunk import BRIEF_LINES, LONG_LINES, WITH_MEMBERS, Chunk, chunk
from .imports import Files
from .ranking import Ranking, Weights
from .view import Index, View

MOST_CHUNKS = 24
LEAST_SCORE = 1.5  # of what is worth its tokens


class Retrieval:
    """Answers for one project. Keeps nothing between two questions."""

    def __init__(self, index: Index, files: Files, weights: Weights | None = None) -> None:
        self._index = index
        self._files = files
        self._weights = weights or Weights()

    def wanted(self, query: Query) -> list[Chunk]:
        """What the completion at a cursor should see, best first; at most `MOST_CHUNKS`."""
        view = View(self._index, self._files, query.opened, query.path)
        search = Search(query, view)
        found = [each for each in search.candidates() if not _is_shown(each.definition, query)]
        ranking = Ranking(query, search.around, self._weights)
        scored = [(-ranking.score(each), each.place, each) for each in found]
        chosen = [each for score, _, each in sorted(scored) if -score >= LEAST_SCORE]
        return list(islice(_chunks(chosen, view), MOST_CHUNKS))


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


def _is_shown(definition: Definition, query: Query) -> bool:
    """Whether the prompt shows the same name with the same signature anyway."""
    start, stop = query.shown
    return bool(definition.signature) and query.text.find(definition.signature, start, stop) >= 0
