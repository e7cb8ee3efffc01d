"""Drafts by a trained exit: the first layers, its block, and the model's head cut to some rows."""

from collections.abc import Sequence

import torch

from ...nn.linear import Linear
from ...nn.transformer import Transformer
from ..controller import HOPE
from ..draft import Context, Draft, Scene, Started, Verified
from .block import ExitBlock
from .reader import best

LEAST_LIKELY = 0.15  # a token less likely than that to be reached and right is not worth its cost


class ExitDrafter:
    """One exit of one model. Learns nothing while it runs.

    The block reads the last layer's state of the last verified token, which the verifier has after
    the first round of a completion; before that there is no draft.
    """

    free = False
    taps: frozenset[int] = frozenset()

    def __init__(
        self,
        model: Transformer,
        block: ExitBlock,
        head: Linear,
        ids: torch.Tensor,
        ends: frozenset[int] = frozenset(),
        least_likely: float = LEAST_LIKELY,
        right: float = HOPE,
        name: str = "exit",
    ) -> None:
        """`head` gives logits of the tokens `ids`; after a token of `ends` nothing is drafted.
        `right`: the share of its tokens that were so on held-out code."""
        self.name = name
        self.right = right
        self._model = model
        self._block = block
        self._head = head
        self._ids = ids
        self._ends = ends
        self._least_likely = least_likely

    def begin(self, scene: Scene) -> None:
        pass

    def observe(self, verified: Verified) -> None:
        pass

    @torch.inference_mode()
    def propose(self, context: Context, budget: int) -> Draft:
        if context.hidden is None:
            return Draft()
        after, rows = self._block.shape.after, context.rows
        verified = len(context.prompt) + len(context.path) - context.unseen - 1
        upcoming: Sequence[int] = context.path[len(context.path) - context.unseen :]
        tokens: list[int] = []
        confidences: list[float] = []
        states: list[torch.Tensor] = []
        place, reached = 0, 1.0
        while True:
            step = rows.step(place, len(upcoming))
            embedded = self._model.embed(torch.tensor(upcoming, device=self._model.device))
            states.append(self._model.run(embedded, step, rows.arena, range(after)))
            place += len(upcoming)
            state = self._block(
                states[-1][-1:], context.hidden, verified + place, verified, step, rows.arena
            )
            guess = best(self._head(state), self._ids)
            reached *= float(guess.confidences[0])
            if reached < self._least_likely:
                break
            tokens.append(int(guess.tokens[0]))
            confidences.append(float(guess.confidences[0]))
            if len(tokens) >= budget or tokens[-1] in self._ends:
                break
            upcoming = tokens[-1:]
        return Draft(
            tuple(tokens), tuple(confidences), (), Started(after, torch.cat(states)), after
        )
