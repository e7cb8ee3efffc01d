"""The encoding of chunks: each behind the sink and the chunks before it, in small steps that give
way.
"""

from collections.abc import Callable, Sequence

import torch

from ...cache.quantised import QuantisedRows
from ...cache.sequence import CachedSequence, Piece
from ...models.device import Aside
from ...models.nn.reencode import encode
from ...models.nn.transformer import Transformer

STEP_TOKENS = 8  # on a CPU little more than one token takes: a key waits for one step at the most


class ChunkEncoder:
    """Owns a sequence that for a while holds the sink, some chunks, and one that is new."""

    def __init__(self, model: Transformer, sink: Sequence[int], aside: Aside) -> None:
        self.sink = list(sink)
        self._model = model
        self._aside = aside
        self._sequence = CachedSequence(model.new_arena())

    def encode(
        self,
        tokens: Sequence[int],
        interrupted: Callable[[], bool],
        before: Sequence[Piece] = (),
    ) -> QuantisedRows | None:
        """Keys and values of `tokens` behind the sink and `before`, which was encoded behind it;
        None if there was something better to do."""
        sequence = self._sequence
        try:
            if not self._append(self.sink, interrupted):
                return None
            sequence.place(len(sequence), before)
            start = len(sequence)
            if not self._append(tokens, interrupted):
                return None
            last = sequence.segments[-1]
            assert last.position <= start, "an empty sequence is filled from its first row on"
            first = last.start + start - last.position
            return QuantisedRows.of(sequence.arena, first, last.stop, start)
        finally:
            sequence.truncate(0)

    def _append(self, tokens: Sequence[int], interrupted: Callable[[], bool]) -> bool:
        """False if there was something better to do."""
        for at in range(0, len(tokens), STEP_TOKENS):
            if interrupted():
                return False
            self._aside.run(lambda: self._step(tokens[at : at + STEP_TOKENS]))  # noqa: B023
        return True

    @torch.inference_mode()
    def _step(self, tokens: Sequence[int]) -> None:
        encode(self._model, self._sequence, self._sequence.append(tokens))
