"""Several completions of one prompt, continued together: one forward pass for all of them.

Each has a branch of the sequence and a verifier of its own, with short drafts from what costs
nothing. The weights, whose reading is most of a pass, are read once for all.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import torch

from ...cache.branch import Branch, Branches
from ...cache.sequence import CachedSequence
from ..nn.transformer import Transformer
from .branch_guess import DRAFT_TOKENS
from .round import shared
from .verify import Guesser, Prune, Verifier


class Guesses(Protocol):
    """Where the drafts of one request come from."""

    passes: int  # forward passes so far

    def branch(self) -> Guesser:
        """For one more branch."""
        ...


class SideBySide:
    """The branches of one sequence, which must not change while there are any."""

    def __init__(
        self,
        model: Transformer,
        sequence: CachedSequence,
        logits: torch.Tensor,
        limit_tokens: int,
        raise_if_cancelled: Callable[[], None],
        guesses: Guesses,
    ) -> None:
        """`sequence` holds exactly the prompt, after which come the `logits` (vocabulary,)."""
        self._model = model
        self._prompt_tokens = len(sequence)
        self._logits = logits
        self._limit_tokens = limit_tokens
        self._raise_if_cancelled = raise_if_cancelled
        self._guesses = guesses
        self._made: dict[Verifier, Branch] = {}
        self._branches = Branches(sequence, limit_tokens + DRAFT_TOKENS + 1)

    def verifier(self, path: Sequence[int]) -> Verifier:
        """Of a new branch that will go along `path`: as far as another one has been there, it
        begins with what is known of it."""
        start = self._prompt_tokens

        def known(branch: Branch) -> int:
            return shared(branch.tokens[start:], path)

        like = max(self._made.values(), key=known, default=None)
        branch = self._branches.new(like, 0 if like is None else start + known(like))
        verifier = Verifier(
            self._model,
            branch,
            self._logits,
            self._guesses.branch(),
            self._limit_tokens,
            self._raise_if_cancelled,
            prompt_tokens=start,
        )
        self._made[verifier] = branch
        return verifier

    def drop(self, verifier: Verifier) -> None:
        """End its branch."""
        self._made.pop(verifier).end()

    def end(self) -> None:
        """There are no more questions."""
        self._branches.end()

    def ask(self, questions: Iterable[tuple[Verifier, Sequence[int], Prune]]) -> None:
        """Have every verifier know the logits after its path."""
        self._raise_if_cancelled()
        asked = [(v, v.asks(path, prune)) for v, path, prune in questions]
        waiting = [(v, ready) for v, ready in asked if ready is not None]
        if not waiting:
            return
        began, model = time.perf_counter(), self._model
        with torch.inference_mode():
            tokens = [token for _, ready in waiting for token in ready.tokens]
            hidden = model.embed(model.ids(tokens))
            steps = [ready.step for _, ready in waiting]
            hidden = model.run_together(hidden, steps, waiting[0][1].room.arena)
            parts = hidden.split([len(step) for step in steps])
            wanted = [
                part[len(r.unseen) - 1 :] for part, (_, r) in zip(parts, waiting, strict=True)
            ]
            logits = model.logits(torch.cat(wanted)).split([len(part) for part in wanted])
        took_ms = (time.perf_counter() - began) * 1000
        self._guesses.passes += 1
        for (verifier, ready), said, part in zip(waiting, logits, parts, strict=True):
            verifier.answer(ready, said, part, took_ms)
