"""Aligned sampling: completions that the grammar allows, from the model's own distribution given
the grammar.

Masking what is refused and going on, as constrained decoders do, bends the distribution: a dead
end met late gets the mass of everything that began like it. The modes here differ in what they do
when a drawn token is refused:

- `exact`: note it in the trie and start again at the root, at the cost of the model calls that are
  not cached. Rejection sampling that never tries the same mistake twice; exact from the first
  sample (ARS, Parys et al. 2025, here with only the drawn token checked).
- `asap`: note it and draw again in place; later samples know what it cost (Park et al. 2024,
  Algorithm 1). Exact only in the limit of many samples.
- `approximate`: note it and go back as far as speculative sampling's acceptance rule says, with
  the old distribution as the draft and the new one as the target (Melcer et al. 2025).
- `gcd`: draw again in place and learn nothing. For comparison, and when time is up.
- `off`: no grammar at all.

`exact` turns into `approximate` and that into `gcd` as restarts or time run out, and the result
says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from ...api.request import GrammarMode
from .budget import Budget
from .trie import EPSILON, Node, Support, Trie, draw

Logits = Callable[[Sequence[int]], Tensor]  # tokens after the prompt -> (vocabulary,) float
Distribution = Callable[[Tensor], Tensor]  # logits -> probabilities, as the sampler wants them
Uniform = Callable[[int, int], float]  # (tokens after the prompt, attempt) -> [0, 1)

EAGER_TOKENS = 512  # as published, `asap` checks all of a place's tokens


@dataclass(frozen=True, slots=True)
class Aligned:
    """One completion. `tokens` leaves out the token that ended it."""

    tokens: tuple[int, ...]
    node: Node  # where it ended
    stopped: bool  # the model ended it; otherwise the limit did, or nothing grammatical is left
    mode: GrammarMode  # the least faithful one that was used
    refused: int  # tokens drawn and refused
    restarts: int
    model_calls: int
    bound: float  # 1 − r(root): at most this share of the model's completions is grammatical


class Run(Protocol):
    """One completion under way: where it is, and what it has cost."""

    node: Node
    mode: GrammarMode
    refused: int
    restarts: int


def aligned(run: Run, trie: Trie, model_calls: int) -> Aligned:
    """What `run` has come to, with so many model calls."""
    path = run.node.path()
    return Aligned(
        tokens=tuple(path[:-1] if run.node.ended else path),
        node=run.node,
        stopped=run.node.ended,
        mode=run.mode,
        refused=run.refused,
        restarts=run.restarts,
        model_calls=model_calls,
        bound=trie.bound,
    )


class Aligner:
    """Draws from one trie. The trie carries what is learnt from one sample to the next."""

    def __init__(
        self,
        trie: Trie,
        logits: Logits,
        distribution: Distribution,
        eager_tokens: int = EAGER_TOKENS,
    ):
        """`asap` checks every token of a place with at most `eager_tokens`, as published; at
        other places only what is drawn, which converges more slowly to the same."""
        self._trie = trie
        self._logits = logits
        self._distribution = distribution
        self._eager_tokens = eager_tokens
        self._calls = 0

    def sample(self, mode: GrammarMode, uniform: Uniform, budget: Budget) -> Aligned:
        """One completion by `mode`; with no refusal, exactly what plain sampling draws. If nothing
        grammatical was found it is empty and has not stopped."""
        run = _Run(self._trie.root, mode)
        calls = self._calls
        while not run.node.ended and run.node.length < budget.limit_tokens:
            token = self._draw(run, uniform)
            if token is not None:
                child = self._trie.child(run.node, token)
                if not child.refused:
                    run.node = child
                    continue
            elif run.node is self._trie.root:
                break  # nothing grammatical is left at all
            else:
                child = run.node  # a dead end
            self._refuse(run, child, budget.mode(mode, run.restarts), uniform)
            budget.raise_if_cancelled()
            if run.refused >= budget.most_refusals:
                run.node = self._trie.root
                break
        return aligned(run, self._trie, self._calls - calls)

    # region steps

    def _draw(self, run: "_Run", uniform: Uniform) -> int | None:
        """The next token at the run's node; None if nothing is left there."""
        node = run.node
        support = self._expand(node, eager=run.wanted is GrammarMode.ASAP)
        weights = self._trie.weights(node, aligned=run.wanted is not GrammarMode.GCD)
        if run.avoided is not None:
            others = np.where(support.tokens == run.avoided, 0.0, weights)
            weights = others if others.sum() > EPSILON else weights
            run.avoided = None
        return draw(support, weights, uniform(node.depth, run.attempt))

    def _refuse(self, run: "_Run", child: Node, mode: GrammarMode, uniform: Uniform) -> None:
        """Learn that `child` is refused, or a dead end, and choose where to go on."""
        run.refused += 1
        run.attempt += 1
        run.soften(mode)
        line = child.line()
        before = [1.0 - node.removed for node in line[:-1]]
        child.removed = 1.0
        self._trie.back_up(child)
        match mode:
            case GrammarMode.EXACT:
                run.restarts += 1
                run.node = self._trie.root
            case GrammarMode.APPROXIMATE:
                run.restarts += 1
                self._step_back(run, line, [*before, 1.0], uniform)
            case _:
                run.node = line[-2]

    def _step_back(
        self, run: "_Run", line: list[Node], before: list[float], uniform: Uniform
    ) -> None:
        """Keep as much of `line` as speculative sampling would of a draft.

        The draft was drawn by the weights of before, the target has those of now. Only the mass
        along the line has changed, so the residual at a place is all its other tokens.
        """
        now = [1.0 - node.removed for node in line]
        for at in range(len(line) - 1):
            if now[at] <= EPSILON:
                run.node = self._trie.root
                return
            ratio = now[at + 1] * before[at] / (before[at + 1] * now[at])
            if uniform(at, run.attempt) >= ratio:
                run.node = line[at]
                run.avoided = line[at + 1].token
                run.attempt += 1
                return

    def _expand(self, node: Node, eager: bool) -> Support:
        """The node's support, from the model on the first visit."""
        if node.support is None:
            self._calls += 1
            p = self._distribution(self._logits(node.path())).detach().cpu().double().numpy()
            node.support = Support.of(p)
            if eager and len(node.support.tokens) <= self._eager_tokens:
                for token in node.support.tokens.tolist():
                    self._trie.back_up(self._trie.child(node, token))
        return node.support

    # endregion


class _Run:
    """One sample under way."""

    def __init__(self, root: Node, mode: GrammarMode):
        self.node = root
        self.wanted = mode
        self.mode = mode  # the least faithful one so far
        self.avoided: int | None = None  # not to be drawn at the next place
        self.attempt = 0  # tells apart the random numbers of one place
        self.refused = 0
        self.restarts = 0

    def soften(self, mode: GrammarMode) -> None:
        """Note that `mode` was used."""
        order = list(GrammarMode)
        self.mode = max(self.mode, mode, key=order.index)
