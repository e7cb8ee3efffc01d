"""Whether a model would rather have a change than the text as it is."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from ...cache.sequence import CachedSequence
from ...models.decoding.decode import Decoder, Stops
from ...models.nn.transformer import Transformer


@dataclass(frozen=True, slots=True)
class Verdict:
    """`gain`: how much likelier what changes is than what stands there, as a logarithm; `chance`:
    of each of its tokens, in the geometric mean."""

    gain: float
    chance: float


def pausing(pause: Callable[[], None]) -> Callable[[], bool]:
    """What a decoder asks between steps whether it is cancelled: never, unless `pause` raises."""

    def cancelled() -> bool:
        pause()
        return False

    return cancelled


class Judge:
    """Asks a model in a sequence of its own or another one's: what that holds is what is asked
    about afterwards."""

    def __init__(self, model: Transformer, decoder: Decoder, sequence: CachedSequence) -> None:
        self._model = model
        self._decoder = decoder
        self._sequence = sequence

    def verdict(
        self,
        context: Sequence[int],
        changed: Sequence[int],
        unchanged: Sequence[int],
        pause: Callable[[], None],
    ) -> Verdict:
        """Of either after the same `context` (not empty): one pass each, and one for what of the
        context the sequence does not hold. `pause` is called between them, and may raise."""
        stops = Stops(frozenset(), 0)
        self._decoder.prefill(self._sequence, context, stops, pausing(pause))
        kept = self.log_likelihood(unchanged)
        pause()
        gone = self.log_likelihood(changed)
        return Verdict(gone - kept, math.exp(gone / max(1, len(changed))))

    @torch.inference_mode()
    def log_likelihood(self, tokens: Sequence[int]) -> float:
        """Of `tokens` after what the sequence holds, which is not changed."""
        sequence, model = self._sequence, self._model
        length = len(sequence)
        if not tokens:
            return 0.0
        run = [sequence.tokens[-1], *tokens[:-1]]
        sequence.truncate(length - 1)
        step = sequence.append(run)
        try:
            hidden = model.run(model.embed(model.ids(run)), step, sequence.arena)
        except BaseException:
            sequence.truncate(length - 1)
            raise
        logs = torch.log_softmax(model.logits(hidden), -1)
        chosen = logs.gather(1, model.ids(tokens)[:, None])
        sequence.truncate(length)
        return float(chosen.sum())
