"""The watching of projects: of the root, and of every folder in it that is not ignored."""

import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import ObservedWatch

from .project import REPOSITORY, Project
from .watch import CHANGES

logger = logging.getLogger(__name__)

MOST_WATCHES = 32  # of a project, two threads each
RULES = (".gitignore", "keyturn.toml")
DECISIVE = (*RULES, REPOSITORY)  # names on which it depends what is read in their folder
JOIN_SECONDS = 1.0  # the threads die with the process if they are not done by then


@dataclass(frozen=True, slots=True)
class Touched:
    """Something happened to `path`: to a file, or to what decides about many (`everything`)."""

    root: Path
    path: Path
    everything: bool


class ProjectWatch:
    """Calls `touched` from threads of its own. One thread uses it."""

    def __init__(self, touched: Callable[[Touched], None]) -> None:
        self._touched = touched
        self._observer = Observer()
        self._watches: dict[Path, dict[Path, Watched]] = {}
        self._gone: set[Path] = set()  # roots and top folders, added to from any thread

    def start(self) -> None:
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join(JOIN_SECONDS)

    def watch(self, project: Project, most: int = MOST_WATCHES) -> bool:
        """Watch the root, and every folder in it that is not ignored with all that it holds. False
        if that could not be done for all of them."""
        folders = [project.root, *project.top_folders()]
        wanted = folders[:most]
        watches = self._watches.setdefault(project.root, {})
        self._unwatch_gone()
        self._unwatch(
            project.root,
            [path for path, each in watches.items() if path not in wanted or each.is_lost(path)],
        )
        handler = Events(project.root, self._touched, self._gone.add)
        try:
            for folder in wanted:
                if folder not in watches:
                    deep = folder != project.root
                    identity = _identity(folder)  # before: what comes in between is seen as lost
                    observed = self._observer.schedule(handler, str(folder), recursive=deep)
                    watches[folder] = Watched(observed, identity)
        except OSError as error:  # out of watches, gone, or a file system without them
            logger.warning("some changes in %s are noticed late: %s", project.root, error)
            return False
        return len(wanted) == len(folders)

    def has_lost(self, root: Path) -> bool:
        """Whether another folder is now where the watched root was: a root that is moved away says
        nothing of it."""
        watched = self._watches.get(root, {}).get(root)
        return watched is not None and watched.is_lost(root)

    def forget(self, root: Path) -> None:
        """Watch nothing of this project."""
        self._unwatch(root, list(self._watches.get(root, ())))
        self._watches.pop(root, None)

    def _unwatch_gone(self) -> None:
        """Give up the watches of folders that went, even if they came back: what is watched is the
        folder that was there."""
        while self._gone:
            gone = self._gone.pop()
            for root, watches in self._watches.items():
                self._unwatch(root, [gone] if gone in watches else [])

    def _unwatch(self, root: Path, folders: Iterable[Path]) -> None:
        watches = self._watches.get(root, {})
        for folder in folders:
            self._observer.unschedule(watches.pop(folder).observed)


@dataclass(frozen=True, slots=True)
class Watched:
    """A folder that is watched, wherever it is moved to."""

    observed: ObservedWatch
    identity: tuple[int, int] | None

    def is_lost(self, path: Path) -> bool:
        """Whether it is no longer what is at its path."""
        return _identity(path) != self.identity


class Events(FileSystemEventHandler):
    """Passes on what happens below `root`, from the observer's threads."""

    def __init__(
        self, root: Path, touched: Callable[[Touched], None], gone: Callable[[Path], None]
    ) -> None:
        """`gone` is called, before `touched` is, with the root or a folder in it that was removed
        or moved."""
        self._root = root
        self._touched = touched
        self._gone = gone

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in CHANGES:
            return
        if event.is_directory and event.event_type == "modified":
            return  # something in it was, which is an event of its own
        if event.is_directory and event.event_type in ("deleted", "moved"):
            path = Path(os.fsdecode(event.src_path))
            if self._root in (path, path.parent):
                self._gone(path)
        for name in filter(None, (event.src_path, event.dest_path)):
            path = Path(os.fsdecode(name))
            everything = event.is_directory or path.name in DECISIVE
            self._touched(Touched(self._root, path, everything))


def _identity(folder: Path) -> tuple[int, int] | None:
    """Another one for another folder at the same path; None if there is none."""
    try:
        found = os.stat(folder)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
