"""Drafts of what a completion must begin with: the end of the prompt that healing held back.

The first tokens must spell those bytes (healing.py). Any way of spelling them is allowed, and the
one that the tokenizer has for them is nearly always the one that is drawn.
"""

from collections.abc import Sequence

from .draft import Context, Draft, Scene, Verified

SURE = 0.9  # the controller knows better


class Forced:
    """`draft.Drafter`. Learns nothing."""

    name = "forced"
    free = True
    taps: frozenset[int] = frozenset()

    def __init__(self) -> None:
        self._held: Sequence[int] = ()

    def begin(self, scene: Scene) -> None:
        self._held = scene.held

    def propose(self, context: Context, budget: int) -> Draft:
        """What is left of them, as long as they were spelt as expected so far."""
        done = len(context.path)
        if done >= len(self._held) or list(context.path) != list(self._held[:done]):
            return Draft()
        rest = tuple(self._held[done : done + budget])
        return Draft(rest, (SURE,) * len(rest))

    def observe(self, verified: Verified) -> None:
        """Nothing follows from it."""
