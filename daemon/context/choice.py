"""What a file should be shown of its project, as `project_context` asks for it: by whom it is
chosen, from what, and what may be shown, differs.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from ...api.chunk import Chunk
from ..server.engine import File
from ..server.jobs import FileKey


class NeededElsewhere(Exception):
    """There is something better to do than what is under way."""


class Rules(Protocol):
    """What may be shown of a project. Equal to others where the same may be."""

    def may_show(self, path: str) -> bool:
        """Whether something from this file of the project may be shown."""
        ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What the user of a file sees of it, and what a model is shown."""

    cursor: int = 0  # character before which it was last
    shown: tuple[int, int] = (0, 0)  # the characters that the prompt shows
    held: frozenset[tuple[str, int]] = frozenset()  # path and line of excerpts that are shown


@dataclass(frozen=True, slots=True)
class Offer:
    """`owner`: whose text it is, so that all of it can be forgotten together."""

    chunks: tuple[Chunk, ...]  # the most relevant first
    owner: str
    is_growing: bool = False  # there may be others before long


class Choice(Protocol):
    """Owns what is known of files and their projects. Nothing waits for anything."""

    is_kept: bool  # whether what was encoded is kept for later files, until it is forgotten

    def rules(self, file: File) -> Rules | None:
        """What may be shown to a file; None: nothing."""
        ...

    def offer(
        self,
        file: File,
        sight: Sight,
        opened: Collection[File],
        interrupted: Callable[[], bool],
    ) -> Offer | None:
        """What `file` should be shown. `opened`: all open files of its window, the one used last
        last. None: nothing is known of its project. Raises `NeededElsewhere` once
        `interrupted()`."""
        ...

    def expects(self, file: File) -> bool:
        """Whether there may be other things to show before long, without a key: files change on
        disk."""
        ...

    def is_forgotten(self) -> bool:
        """Whether what was offered so far is to be forgotten, which is said once."""
        ...

    def busy(self) -> None:
        """A key was pressed."""
        ...

    def idle(self) -> None:
        """Nobody waits for anything."""
        ...

    def forget(self, key: FileKey) -> None:
        """A file was closed."""
        ...

    def status(self) -> dict[str, Any]: ...

    def close(self) -> None: ...
