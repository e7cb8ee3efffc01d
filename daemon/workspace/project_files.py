"""The index of a project's files that are not open: read when first asked for, and kept true by
watching.

One thread reads and watches; whoever asks gets what has been read so far, and never waits.
"""

import logging
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...lsp.options import Options
from .language import language_of
from .printable import printable
from .project import Project, Volume, project_of
from .project_watch import MOST_WATCHES, ProjectWatch, Touched
from .watch import QUIET_SECONDS

logger = logging.getLogger(__name__)

MOST_PROBLEMS = 5  # shown
MOST_SHOWN = 300  # characters of one
MOST_PROJECTS = 4  # the one asked for longest ago is forgotten
MOST_FILES = 4_000  # of a project
AGAIN_SECONDS = 30.0  # how often, at most, a project that is not watched whole is read again
LONGEST_BURST_SECONDS = 2.0
LONGEST_SCAN_SECONDS = 20.0  # what has been read by then is what there is
JOIN_SECONDS = 1.0  # the thread dies with the process if it is not done by then
NEVER = float("inf")


@dataclass
class Shelf:
    """One project. `volumes` is replaced, never changed, so that it can be handed out."""

    volumes: dict[Path, Volume] = field(default_factory=dict)
    problems: tuple[str, ...] = ()  # with its rules and settings; replaced, too
    due: float = 0.0  # when to read all of it, by time.monotonic()


@dataclass(frozen=True, slots=True)
class Scan:
    """Read a project anew, what is near `near` first."""

    root: Path
    near: Path


Tasks = queue.SimpleQueue[Scan | Touched | None]


# Of a project's root.
OptionsIn = Callable[[Path], tuple[Options, Sequence[str]]]


class Library(threading.Thread):
    """`most_characters` of text for each project. `options_in` says what may be read in one, and
    what is wrong with the files that say so."""

    def __init__(self, options_in: OptionsIn, most_characters: int) -> None:
        super().__init__(name="library", daemon=True)
        self._options_in = options_in
        self._most_characters = most_characters
        self._lock = threading.Lock()  # of the shelves
        self._shelves: OrderedDict[Path, Shelf] = OrderedDict()
        self._tasks: Tasks = queue.SimpleQueue()
        self._closing = threading.Event()
        # Below: touched in this thread only.
        self._watch = ProjectWatch(self._tasks.put)
        self._projects: dict[Path, Project] = {}

    # region From any thread
    def around(self, path: Path) -> list[Volume]:
        """The other files of the same language in the project that `path` is in."""
        root = project_of(path)
        if root is None or not self._most_characters:
            return []
        with self._lock:
            shelf = self._shelves.setdefault(root, Shelf())
            self._shelves.move_to_end(root)
            volumes = shelf.volumes
            if time.monotonic() >= shelf.due:
                shelf.due = NEVER
                self._tasks.put(Scan(root, path))
        language = language_of(path.name).id
        return [v for v in volumes.values() if v.language == language and v.path != path]

    def status(self) -> dict[str, int]:
        with self._lock:
            shelves = [shelf.volumes.values() for shelf in self._shelves.values()]
        texts = [volume.text for volumes in shelves for volume in volumes]
        return {
            "projects": len(shelves),
            "files": len(texts),
            "characters": sum(len(text) for text in texts),
        }

    def problems(self) -> list[str]:
        """Rules and settings that cannot be read, a line each, and how many more there are. They
        name what a repository brought: what is no printable text in that is left out."""
        with self._lock:
            found = [problem for shelf in self._shelves.values() for problem in shelf.problems]
        lines = [_shortened(each) for each in dict.fromkeys(map(printable, found))]
        more = len(lines) - MOST_PROBLEMS
        return lines[:MOST_PROBLEMS] + ([f"and {more:,} problems more"] if more > 0 else [])

    def close(self) -> None:
        """End the thread and the watching; what has been handed out stays good."""
        self._closing.set()
        self._tasks.put(None)
        self.join(JOIN_SECONDS)

    # endregion
    # region The thread
    def run(self) -> None:
        self._watch.start()
        while (task := self._tasks.get()) is not None and not self._closing.is_set():
            try:
                if isinstance(task, Scan):
                    self._scan(task)
                else:
                    self._follow(self._burst(task))
            except Exception:  # the top of the thread: one project, not the others
                logger.exception("%s could not be read", task.root)
                with self._lock:
                    if shelf := self._shelves.get(task.root):
                        shelf.due = time.monotonic() + AGAIN_SECONDS
        self._watch.stop()

    def _burst(self, first: Touched) -> set[Touched]:
        """`first` and what else happens until it is quiet for a moment."""
        burst, until = {first}, time.monotonic() + LONGEST_BURST_SECONDS
        while time.monotonic() < until:
            try:
                task = self._tasks.get(timeout=QUIET_SECONDS)
            except queue.Empty:
                break
            if not isinstance(task, Touched):
                self._tasks.put(task)
                break
            burst.add(task)
        return burst

    def _scan(self, scan: Scan) -> None:
        root = scan.root
        options, problems = self._options_in(root)
        project = self._projects[root] = Project(root, options)
        # Before reading, so that nothing is missed between the two.
        whole = self._watch.watch(project, MOST_WATCHES)
        ended = self._end()
        nearest = sorted(project.files(ended), key=lambda path: _steps(scan.near, path))
        volumes = self._within_limits({}, project, nearest, ended)
        if ended() and not self._closing.is_set():
            logger.warning("%s takes too long to read: some of it is left out", root)
        with self._lock:
            shelf = self._shelves.setdefault(root, Shelf())
            shelf.problems = (*problems, *project.problems)
            shelf.volumes, shelf.due = volumes, NEVER if whole else time.monotonic() + AGAIN_SECONDS
            forgotten = list(self._shelves)[:-MOST_PROJECTS]
            for each in forgotten:
                del self._shelves[each]
        for each in forgotten:
            self._projects.pop(each, None)
            self._watch.forget(each)
        logger.info("%s: %d files read", root, len(volumes))

    def _follow(self, burst: set[Touched]) -> None:
        for root in {touched.root for touched in burst} & self._projects.keys():
            here = [touched for touched in burst if touched.root == root]
            if any(touched.everything for touched in here):
                self._scan(Scan(root, here[0].path))
                continue
            with self._lock:
                volumes = dict(self._shelves[root].volumes)
            paths = [touched.path for touched in here]
            for path in paths:
                volumes.pop(path, None)
            volumes = self._within_limits(volumes, self._projects[root], paths, self._end())
            with self._lock:
                self._shelves[root].volumes = volumes

    def _end(self) -> Callable[[], bool]:
        """Whether to leave a project as it is, from some time on or when the thread is to end."""
        until = time.monotonic() + LONGEST_SCAN_SECONDS
        return lambda: self._closing.is_set() or time.monotonic() > until

    def _within_limits(
        self,
        volumes: dict[Path, Volume],
        project: Project,
        paths: Iterable[Path],
        ended: Callable[[], bool],
    ) -> dict[Path, Volume]:
        """`volumes` and those of `paths` for which there is room, and time until `ended()`."""
        room = self._most_characters - sum(len(volume.text) for volume in volumes.values())
        for path in paths:
            if len(volumes) >= MOST_FILES or ended():
                break
            volume = project.read(path)
            if volume is not None and len(volume.text) <= room:
                volumes[path] = volume
                room -= len(volume.text)
        return volumes

    # endregion


def _steps(here: Path, there: Path) -> int:
    """Folders to go through from one file to the other."""
    return os.path.relpath(there, here).count(os.sep)


def _shortened(text: str) -> str:
    """With the end of it, which says what is wrong; in the middle of a path less is lost."""
    half = MOST_SHOWN // 2
    return text if len(text) <= MOST_SHOWN else f"{text[: half - 1]}…{text[-half:]}"
