"""What a proposer asks where no rule of its own finds anything."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from .proposal import Proposal
from .recent_edits import Hunk


class NextEditModel(Protocol):
    """Used in one thread."""

    def proposals(
        self,
        path: str,
        text: str,
        hunks: Sequence[Hunk],
        cursor: int,
        pause: Callable[[], None],
    ) -> Iterable[Proposal]:
        """What it would change in a text in which `hunks` were changed, the newest first. `pause`
        is called between small steps, and may raise."""
        ...

    def status(self) -> dict[str, Any]:
        """Plain data for `daemon status`."""
        ...

    def close(self) -> None:
        """Give its memory back; nothing is called afterwards."""
        ...
