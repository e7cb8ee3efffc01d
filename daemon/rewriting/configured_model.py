"""The next-edit model that is configured, from when it is first needed."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..next_edit.proposal import Proposal
from ..next_edit.recent_edits import Hunk
from ..on_demand import OnDemand
from .rewriter import Rewriter


class ConfiguredModel:
    """`next_edit.model.NextEditModel`."""

    def __init__(self, name: str, make: Callable[[], Rewriter], is_quick: bool = False) -> None:
        """`make` may raise `KeyturnError`. `is_quick`: it takes no time."""
        self._name = name
        self._made = OnDemand("next-edit model", make)
        if is_quick:
            self._made.ready(math.inf, lambda: False)

    def proposals(
        self,
        path: str,
        text: str,
        hunks: Sequence[Hunk],
        cursor: int,
        pause: Callable[[], None],
    ) -> Iterable[Proposal]:
        """Nothing while it is being loaded."""
        self._made.begin()
        if self._made.made is None:
            return ()
        return self._made.made.proposals(path, text, hunks, cursor, pause)

    def status(self) -> dict[str, Any]:
        made = self._made.made
        if made is not None:
            return made.status()
        state = "is being loaded" if self._made.is_being_made else "not loaded until it is needed"
        return {"model": self._name, "state": state, "problem": self._made.problem}

    def close(self) -> None:
        self._made.close()
