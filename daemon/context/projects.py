"""What is asked of the user's projects."""

from pathlib import Path
from typing import Any, Protocol

from ..project.index import ProjectIndex


class Around(Protocol):
    """The project that a file is in, as far as it has been read."""

    @property
    def root(self) -> Path: ...

    @property
    def index(self) -> ProjectIndex: ...

    def age(self) -> int:
        """Another number after the index has changed."""
        ...

    def is_growing(self) -> bool:
        """Whether it is still being read."""
        ...


class Projects(Protocol):
    """What is known of the user's projects; answers at once, with what there is by then."""

    def around(self, path: Path, globs: tuple[str, ...] | None) -> Around | None:
        """None for a file that is in no project, or whose project is not to be read. `globs`: that
        no file in it may match, beside those of its settings; None if it is not to be read."""
        ...

    def busy(self) -> None:
        """A key was pressed."""
        ...

    def idle(self) -> None:
        """Nobody waits for anything."""
        ...

    def status(self) -> dict[str, Any]: ...

    def close(self) -> None: ...
