"""Chunks that were chosen elsewhere: a team's server is given them with the file."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ..server.engine import File
from ..server.jobs import FileKey
from .choice import Offer, Rules, Sight


@dataclass(frozen=True, slots=True)
class Given:
    """`choice.Rules`."""

    paths: frozenset[str]

    def may_show(self, path: str) -> bool:
        return path in self.paths


class GivenChoice:
    """`choice.Choice`. What may be shown is what is given now: files that are not in it by now are
    not shown any more, also where other chunks of theirs are bound."""

    is_kept = False

    def rules(self, file: File) -> Rules | None:
        return Given(frozenset(chunk.path for chunk in file.chunks)) if file.chunks else None

    def offer(
        self, file: File, sight: Sight, opened: Collection[File], interrupted: Callable[[], bool]
    ) -> Offer | None:
        return Offer(file.chunks, "")

    def expects(self, file: File) -> bool:
        """Whoever gives others says so."""
        return False

    def is_forgotten(self) -> bool:
        return False

    def busy(self) -> None:
        """Nothing works in the background."""

    def idle(self) -> None:
        """Nor waits."""

    def forget(self, key: FileKey) -> None:
        """Nothing is known of a file but what it says itself."""

    def status(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        """There is nothing to end."""
