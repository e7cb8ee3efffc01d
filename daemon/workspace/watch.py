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
from watchdog.observers.api import ObservedWatch

logger = logging.getLogger(__name__)

QUIET_SECONDS = 0.3
CHANGES = ("created", "modified", "moved", "deleted")  # opening and reading a file are events too


class Watcher(FileSystemEventHandler):
    """Calls `changed` on the event loop when one of `paths`, or something in one, has changed.

    What does not exist yet is noticed when it comes: the nearest folder that exists is watched.
    """

    def __init__(self, paths: Iterable[Path], changed: Callable[[], None]) -> None:
        self._paths = {path.absolute() for path in paths}
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._pending: asyncio.TimerHandle | None = None
        self._observer = Observer()
        self._watches: dict[Path, ObservedWatch] = {}

    def start(self) -> None:
        self._observer.start()
        self._schedule()

    def watch(self, paths: Iterable[Path]) -> None:
        """These paths from now on."""
        self._paths = {path.absolute() for path in paths}
        self._schedule()

    def stop(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """In the observer's thread."""
        if event.event_type not in CHANGES:
            return
        names = (name for name in (event.src_path, event.dest_path) if name)
        if any(self._concerns(Path(os.fsdecode(name))) for name in names):
            self._loop.call_soon_threadsafe(self._later)

    def _concerns(self, touched: Path) -> bool:
        """Whether it is a path, is in one, or is a folder above one that came or went."""
        paths = self._paths
        return (
            touched in paths
            or touched.parent in paths
            or any(touched in path.parents and touched not in self._watches for path in paths)
            or (touched in self._watches and not touched.exists())
        )

    def _schedule(self) -> None:
        wanted = {_existing(path) for path in self._paths}
        for folder in self._watches.keys() - wanted:
            self._observer.unschedule(self._watches.pop(folder))
        for folder in sorted(wanted - self._watches.keys()):
            try:
                self._watches[folder] = self._observer.schedule(self, str(folder))
            except OSError as error:  # out of watches, or a file system without them
                logger.warning("changes in %s go unnoticed: %s", folder, error)

    def _later(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
        self._pending = self._loop.call_later(QUIET_SECONDS, self._now)

    def _now(self) -> None:
        self._pending = None
        self._schedule()
        self._changed()


def _existing(path: Path) -> Path:
    """The folder in which a change of `path` can be seen."""
    if path.is_dir():
        return path
    return next(folder for folder in path.parents if folder.is_dir())
