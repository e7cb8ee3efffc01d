"""One drafter behind the verifier, asked in every round, and what that cost in layers."""

from collections.abc import Sequence

import torch

from keyturn.api.request import Sampling
from keyturn.cache.sequence import CachedSequence
from keyturn.models.decoding.sampler import Sampler
from keyturn.models.nn.transformer import Transformer
from keyturn.models.speculative.draft import Context, Draft, Drafter, Scene, Verified
from keyturn.models.speculative.verify import NoGuess, Verifier


class Only:
    """A `Guesser` with one drafter. `layers_run` counts a layer over any number of tokens once,
    as DEL's cost model does."""

    def __init__(self, drafter: Drafter, layers: int) -> None:
        self.drafter = drafter
        self.taps = drafter.taps
        self.layers_run = 0
        self.drafted = 0
        self.accepted = 0
        self._layers = layers

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        if budget == 0:
            return "", Draft()
        draft = self.drafter.propose(context, budget)
        self.layers_run += len(draft.tokens) * (draft.exit_layer or 0)
        return self.drafter.name, draft

    def verified(self, verified: Verified, forward_ms: float) -> None:
        self.layers_run += self._layers
        self.drafted += len(verified.draft.tokens)
        self.accepted += verified.accepted
        self.drafter.observe(verified)


class NoRows:
    """For drafters that run no layers."""

    @property
    def arena(self):
        raise AssertionError

    def step(self, start: int, count: int):
        raise AssertionError


@torch.inference_mode()
def complete(
    model: Transformer,
    prompt: Sequence[int],
    count: int,
    only: Only | None = None,
    temperature: float = 0.0,
    sequence: CachedSequence | None = None,
) -> list[int]:
    """`count` tokens after `prompt`, which `sequence` may hold; plainly where `only` is None."""
    sampler = Sampler(Sampling(temperature=temperature))
    sequence = sequence or CachedSequence(model.new_arena())
    sequence.truncate(min(len(sequence), len(prompt) - 1))
    step = sequence.append(prompt[len(sequence) :])
    fed = torch.tensor(prompt[-len(step) :])
    logits = model.logits(model.run(model.embed(fed), step, sequence.arena)[-1:])[0]
    if only is not None:
        only.drafter.begin(Scene("", list(prompt)))
    path: list[int] = []
    with Verifier(model, sequence, logits, only or NoGuess(), count) as verifier:
        while len(path) < count:
            path.append(sampler.draw(verifier.logits(path), len(prompt) + len(path)))
        verifier.drew(path)
    sequence.check_integrity()
    assert sequence.tokens[: len(prompt)] == list(prompt)
    return path
