"""What the daemon knows of a project that somebody works in, and of the files with its settings."""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...config import USER_FILE, WORKSPACE_FILE, user_folder_of
from ..index import ProjectIndex
from .keeper import Globs

Stamps = tuple[tuple[int, ...], ...]


@dataclass
class Known:
    """A project that somebody works in."""

    root: Path
    index: ProjectIndex
    near: Path  # where somebody worked last
    globs: Globs  # that no file in it may match, as the editors say that have it open
    settings_allow: bool | None = None  # None: nobody has looked yet
    state: str = "waiting"  # in the indexer's words
    facts: dict[str, Any] = field(default_factory=dict)
    asked: float = 0.0  # when the indexer was last told of it
    stamps: Stamps = ()  # of the files with its settings then
    is_forgotten: bool = False  # whether what was encoded of it is, since it may not be read
    looking: threading.Lock = field(default_factory=threading.Lock)  # at its settings

    @property
    def is_allowed(self) -> bool | None:
        """Whether it may be read; None: nobody knows yet."""
        return self.settings_allow if self.globs is not None else False

    def age(self) -> int:
        """Another number after the index has changed."""
        return self.index.version()

    def is_growing(self) -> bool:
        """Whether it is still being read."""
        return self.state in ("waiting", "reading")

    def words(self) -> str:
        """For people."""
        found = self.index.status()
        if self.is_allowed is False:
            return "not read, by its settings"
        return f"{self.state}, {found.files:,} files, {found.definitions:,} definitions"


def stamps_of_settings(root: Path) -> Stamps:
    """Others when the user's settings, or those of the project, may be."""
    folders = (root, *root.parents)
    paths = (user_folder_of(os.environ) / USER_FILE, *(each / WORKSPACE_FILE for each in folders))
    return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
