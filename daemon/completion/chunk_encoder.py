"""The encoding of chunks: each alone behind the sink, in small steps that give way."""

from collections.abc import Callable, Sequence

import torch

from ...cache.quantised import QuantisedRows
from ...cache.sequence import CachedSequence
from ...models.device import Aside
from ...models.nn.reencode import encode
from ...models.nn.transformer import Transformer

STEP_TOKENS = 8  # on a CPU little more than one token takes: a key waits for one step at the most


class ChunkEncoder:
    """Owns a sequence that holds the sink, and for a while one chunk."""

    def __init__(self, model: Transformer, sink: Sequence[int], aside: Aside) -> None:
        self.sink = list(sink)
        self._model = model
        self._aside = aside
        self._sequence = CachedSequence(model.new_arena())

    def encode(
        self, tokens: Sequence[int], interrupted: Callable[[], bool]
    ) -> QuantisedRows | None:
        """Keys and values of `tokens` behind the sink; None if there was something better to do."""
        sequence, start = self._sequence, len(self.sink)
        try:
            whole = [*self.sink, *tokens]
            for at in range(0, len(whole), STEP_TOKENS):
                if interrupted():
                    return None
                self._aside.run(lambda: self._step(whole[at : at + STEP_TOKENS]))  # noqa: B023
            rows = sequence.segments[0]
            assert rows.length == len(whole), "an empty sequence is filled from its first row on"
            first = rows.start + start
            return QuantisedRows.of(sequence.arena, first, rows.stop, start)
        finally:
            sequence.truncate(0)

    @torch.inference_mode()
    def _step(self, tokens: Sequence[int]) -> None:
        encode(self._model, self._sequence, self._sequence.append(tokens))
