"""A chunk that a file should show, and when it pays to show others than are bound: every change
makes the file's own tokens stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...api.report import ChunkUse
from ..completion.bound_chunks import BoundChunk
from ..project.retrieval.chunk import Chunk

URGENT = 3  # the first of the chunks: one of these that is not bound is worth a change


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chunk that a file should show."""

    chunk: Chunk
    tokens: tuple[int, ...]

    @property
    def use(self) -> ChunkUse:
        return ChunkUse(self.chunk.path, self.chunk.line + 1, self.chunk.name)

    def is_in(self, bound: BoundChunk) -> bool:
        """Whether a bound chunk shows it; where in its file it stands by now is all the same."""
        return self._same(bound) and bound.text.startswith(self.chunk.text.rstrip("\n"))

    def affirms(self, bound: BoundChunk) -> bool:
        """Whether what a bound chunk shows is still so, be it more or less than is wanted."""
        begins = self.chunk.text.startswith(bound.text.rstrip("\n"))
        return self.is_in(bound) or (self._same(bound) and begins)

    def _same(self, bound: BoundChunk) -> bool:
        return (bound.use.path, bound.use.name) == (self.chunk.path, self.chunk.name)


def pays(bound: Sequence[BoundChunk], wanted: Sequence[Wanted]) -> bool:
    """Whether to show what is wanted (the most relevant first) instead of what is bound: if that is
    no longer wanted as it is, if one of the first is missing, or half of all.

    A definition that is bound with more lines than are wanted of it is there all the same.
    """
    if any(not any(each.affirms(chunk) for each in wanted) for chunk in bound):
        return True
    held = [each for each in wanted if any(each.is_in(chunk) for chunk in bound)]
    return any(each not in held for each in wanted[:URGENT]) or 2 * len(held) < len(wanted)
