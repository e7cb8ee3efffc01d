"""Files that the daemon depends on, watched: the user's configuration and a model of one's own.

Folders are watched rather than files, because editors and downloads replace a file instead of
writing into it. Bursts of events count once, after a moment of quiet.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

logger = logging.getLogger(__name__)

QUIET_SECONDS = 0.3
CHANGES = ("created", "modified", "moved", "deleted")  # opening and reading a file are events too


class Watcher(FileSystemEventHandler):
    """Calls `changed` on the event loop when one of `paths`, or something in one, has changed."""

    def __init__(self, paths: Iterable[Path], changed: Callable[[], None]) -> None:
        self._paths = {path.absolute() for path in paths}
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.TimerHandle | None = None
        self._observer = Observer()

    def start(self) -> None:
        """Watch what can be watched; a folder that does not exist cannot."""
        folders = {path if path.is_dir() else path.parent for path in self._paths}
        for folder in sorted(folder for folder in folders if folder.is_dir()):
            try:
                self._observer.schedule(self, str(folder), recursive=False)
            except OSError as error:  # out of watches, or a file system without them
                logger.warning("changes in %s go unnoticed: %s", folder, error)
        self._observer.start()

    def stop(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """In the observer's thread."""
        touched = {Path(os.fsdecode(path)) for path in (event.src_path, event.dest_path) if path}
        if event.event_type in CHANGES and any(
            path in self._paths or path.parent in self._paths for path in touched
        ):
            self._loop.call_soon_threadsafe(self._later)

    def _later(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
        self._pending = self._loop.call_later(QUIET_SECONDS, self._now)

    def _now(self) -> None:
        self._pending = None
        self._changed()
