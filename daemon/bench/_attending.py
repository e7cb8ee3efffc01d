"""How much of a model's time is attention."""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...models.attention import Partial
    from ...models.transformer import Transformer


class Attending:
    """Adds up what a model spends in attention, on a CPU; elsewhere nothing is waited for."""

    def __init__(self, model: "Transformer") -> None:
        self._model = model
        self._partial = model.attention
        self.ms = 0.0

    def __enter__(self) -> "Attending":
        if self._model.device.type == "cpu":
            self._model.attention = self._timed
        return self

    def __exit__(self, *_: object) -> None:
        self._model.attention = self._partial

    def _timed(self, *arguments: Any) -> "Partial":
        started = time.perf_counter()
        result = self._partial(*arguments)
        self.ms += (time.perf_counter() - started) * 1e3
        return result
