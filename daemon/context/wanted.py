"""A chunk that a file should show, and when it pays to show others than are bound: every change has
chunks encoded again, and makes the file's own tokens stale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...api.chunk import Chunk
from ..completion.bound_chunks import BoundChunk


@dataclass(frozen=True, slots=True)
class Wanted:
    """A chunk that a file should show."""

    chunk: Chunk
    tokens: tuple[int, ...]


def pays(bound: Sequence[BoundChunk], wanted: Sequence[Wanted], offered: Sequence[Chunk]) -> bool:
    """Whether to show what is wanted (the most relevant first) instead of what is bound: if that is
    no longer offered as it is, if the first is missing, or the first excerpt, or half of all.

    A definition that is bound with more lines than are wanted of it is there all the same.
    """
    if any(not any(_affirms(chunk, each) for chunk in offered) for each in bound):
        return True
    held = [each for each in wanted if any(_has(chunk, each.chunk) for chunk in bound)]
    excerpts = [each for each in wanted if not each.chunk.name]
    urgent = [*wanted[:1], *excerpts[:1]]
    return any(each not in held for each in urgent) or 2 * len(held) < len(wanted)


def _has(bound: BoundChunk, chunk: Chunk) -> bool:
    """Whether a bound chunk shows it; where in its file it stands by now is all the same."""
    return _same(bound, chunk) and bound.text.startswith(chunk.text.rstrip("\n"))


def _affirms(chunk: Chunk, bound: BoundChunk) -> bool:
    """Whether what is bound is still so, be it more or less than is offered."""
    begins = chunk.text.startswith(bound.text.rstrip("\n"))
    return _has(bound, chunk) or (_same(bound, chunk) and begins)


def _same(bound: BoundChunk, chunk: Chunk) -> bool:
    return (bound.use.path, bound.use.name) == (chunk.path, chunk.name)
