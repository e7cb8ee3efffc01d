"""Tokens encoded once and shown in many sequences, at any position, without a copy: read-only.

What a sequence attaches keeps its keys as they were turned; the segment's offset says where they
stand (segment.py). The last sequence that lets go gives the rows back.
"""

from collections.abc import Sequence

from .pool import Arena


class Shared:
    """Owns an arena whose row i holds token i, turned for position i; counts who shows it."""

    def __init__(self, tokens: Sequence[int], arena: Arena):
        """`arena` belongs to this from now on; `CachedSequence.share` makes one."""
        assert tokens, "nothing to share"
        assert arena.rows == len(tokens), (arena.rows, len(tokens))
        self.tokens = tuple(tokens)
        self.arena = arena
        self.references = 0

    def acquire(self) -> None:
        self.references += 1

    def release(self) -> None:
        """One user less; with the last one the rows are gone."""
        assert self.references > 0, "released more often than acquired"
        self.references -= 1
        if not self.references:
            self.arena.resize(0)
