"""The chunks of other files that stand at the beginning of one file's prompts.

They were encoded in idle time, each behind those before it, and binding them is a copy of rows:
what is typed next sees them. The file's own tokens move, and are stale like all behind an edit.
Idle time makes of all that what a prefill of the same prompt gives. (Chunks that were encoded
alone, as in APE, arXiv 2502.05431, can be put together in any order, but were worth less than
none to a small model: docs/decisions/project.md.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ...api.report import ChunkUse
from ...cache.quantised import QuantisedRows
from ...cache.sequence import CachedSequence, Piece
from ...models.nn.reencode import encode
from ...models.nn.transformer import Transformer

UNLABELLED = 0  # chunks are compared by their tokens


@dataclass(frozen=True, slots=True)
class BoundChunk:
    """A chunk that is encoded, and where it is from."""

    use: ChunkUse
    text: str
    tokens: tuple[int, ...]
    rows: QuantisedRows

    @property
    def piece(self) -> Piece:
        return Piece(self.tokens, [UNLABELLED] * len(self.tokens), self.rows)


class BoundChunks:
    """Owns which chunks one file's prompts show; the sequence stays the session's."""

    def __init__(self, model: Transformer, sequence: CachedSequence) -> None:
        self._model = model
        self._sequence = sequence
        self._sink: list[int] | None = None  # what stands before them, once a prompt was planned
        self.shown: tuple[BoundChunk, ...] = ()  # the most relevant last: nearest to the file

    @property
    def tokens(self) -> list[int]:
        return [token for chunk in self.shown for token in chunk.tokens]

    @torch.inference_mode()
    def bind(self, chunks: Sequence[BoundChunk]) -> None:
        """Show these instead. Raises `ContextOverflow` or `OverBudget`; then there are none."""
        sequence = self._sequence
        if self._sink is not None and self._begins(sequence):
            start, count = len(self._sink), len(self.tokens)
            if count:
                sequence.drop(start, start + count)
                sequence.changed(start)
            self.shown = ()
            sequence.place(start, [chunk.piece for chunk in chunks])
        self.shown = tuple(chunks)

    @torch.inference_mode()
    def lay(self, sink: list[int]) -> None:
        """Begin an empty sequence with them, so that all of the file is encoded behind them. `sink`
        is what stands before them in the prompt that is due."""
        self._sink, sequence = sink, self._sequence
        if self.shown and not self._begins(sequence):  # empty, or kept from another time
            sequence.truncate(0)
            encode(self._model, sequence, sequence.append(sink))
            sequence.place(len(sink), [chunk.piece for chunk in self.shown])

    def _begins(self, sequence: CachedSequence) -> bool:
        """Whether the sequence begins with the sink and what is shown."""
        front = [*(self._sink or ()), *self.tokens]
        return sequence.tokens[: len(front)] == front
