"""The keepers of all projects that somebody works on, in one thread, each having its turn."""

import contextlib
import logging
import queue
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from ....cache.errors import KeyturnError
from ...workspace.project import project_of
from ...workspace.project_watch import RULES, ProjectWatch, Touched
from ...workspace.watch import QUIET_SECONDS
from ..place import Place
from .keeper import Globs, Keeper, SettingsIn
from .pace import Closing, Pace
from .writer import IndexGone, is_broken

logger = logging.getLogger(__name__)

MOST_PROJECTS = 8  # kept true; the one asked about longest ago is left
LONGEST_BURST_SECONDS = 2.0
LOOK_SECONDS = 1.0  # between two looks at whether an index is still there
AGAIN_SECONDS = 30.0  # until another try, and between two readings of what cannot be watched
SHARED_SECONDS = 2.0  # between two tries to become the one that writes
OLDEST_SECONDS = 60 * 86_400.0  # after which the index of a project that nobody opens is removed
REST_FACTOR = 3  # times as long as a reading took until the next one for changed folders
MOST_TOUCHED = 5_000  # files; of more than that, everything is looked at
NEVER = float("inf")
AGAIN_FACTOR = 20  # and so many times as long as a reading takes

Tell = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Around:
    """Somebody works on the file `path`; of its project nothing may be read that `globs` match."""

    path: Path
    globs: Globs = ()


class Burst:
    """What was touched lately in a project, until it is quiet."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.everything = False
        self.rules = False
        self.began = time.monotonic()
        self.due = self.began

    def add(self, touched: Touched) -> None:
        if len(self.paths) < MOST_TOUCHED:
            self.paths.add(touched.path)
        self.everything |= touched.everything or len(self.paths) == MOST_TOUCHED
        self.rules |= touched.path.name in RULES
        latest = self.began + LONGEST_BURST_SECONDS
        self.due = min(time.monotonic() + QUIET_SECONDS, latest)


class Charge:
    """A project that is looked after: its keeper, and when to do what."""

    def __init__(self, keeper: Keeper, near: Path) -> None:
        self.keeper = keeper
        self.near = near
        self.work: Iterator[None] | None = None
        self.began = 0.0  # the work
        self.again = 0.0  # when to begin anew, at most then if asked
        self.rested = 0.0  # when to begin anew for what happens to folders
        self.burst: Burst | None = None

    def due(self) -> float:
        """When to see to what was touched. Changed rules count at once; folders come and go by the
        thousand, and one reading has to end before the next."""
        if self.burst is None:
            return NEVER
        if self.burst.rules or not self.burst.everything:
            return self.burst.due
        return max(self.burst.due, self.rested) if self.work is None else NEVER

    def ended(self) -> None:
        """The work is done."""
        self.work = None
        now = time.monotonic()
        took = now - self.began
        least = SHARED_SECONDS if self.keeper.is_shared else AGAIN_SECONDS
        self.again = now + max(least, AGAIN_FACTOR * took)
        self.rested = now + REST_FACTOR * took


class Keepers:
    """The work of one thread, in small steps. `tell` says what becomes of a project."""

    def __init__(self, cache: Path, settings_in: SettingsIn, pace: Pace, tell: Tell) -> None:
        self.tasks: queue.SimpleQueue[Around | Touched | None] = queue.SimpleQueue()
        self._cache = cache
        self._settings_in = settings_in
        self._pace = pace
        self._tell = tell
        self._watch = ProjectWatch(self.tasks.put)
        self._charges: OrderedDict[Path, Charge] = OrderedDict()
        self._looked = 0.0

    def run(self) -> None:
        """Until it is closed."""
        self._watch.start()
        try:
            self._tidy()
            while True:
                self._take(self._wait())
                self._pace.step()
                self._look()
                for charge in list(self._charges.values()):
                    self._guarded(charge)
        except Closing:
            for charge in self._charges.values():
                charge.keeper.close()
            self._watch.stop()

    def close(self) -> None:
        """End `run`, from another thread."""
        self._pace.close()
        self.tasks.put(None)

    def _tidy(self) -> None:
        """Remove the indexes of projects in which nobody has worked for long."""
        for place in Place.all(self._cache):
            self._pace.step()
            if time.time() - place.written() > OLDEST_SECONDS:
                lock = filelock.FileLock(place.lock, timeout=0, mode=0o600)
                with contextlib.suppress(filelock.Timeout, OSError), lock:
                    place.forget()

    def _wait(self) -> float:
        """Seconds until there is something to do."""
        now = time.monotonic()
        due = self._looked + LOOK_SECONDS
        for charge in self._charges.values():
            if charge.work is not None:
                return 0.0
            due = min(due, charge.due())
        return max(0.0, due - now)

    def _take(self, seconds: float) -> None:
        """Hear what there is to do, waiting for it so long at most."""
        with contextlib.suppress(queue.Empty):
            task = self.tasks.get(timeout=seconds) if seconds else self.tasks.get_nowait()
            while True:
                if isinstance(task, Touched):
                    self._touched(task)
                elif task is not None:
                    self._around(task)
                task = self.tasks.get_nowait()

    def _around(self, task: Around) -> None:
        path, root = task.path, project_of(task.path)
        if root is None:
            return
        charge = self._charges.get(root)
        if charge is None:
            place = Place.of(root, self._cache)
            tell = _about(root, self._tell)
            keeper = Keeper(
                root, place, self._settings_in, self._watch, self._pace, tell, task.globs
            )
            charge = self._charges[root] = Charge(keeper, path)
            self._begin(charge)
        elif charge.keeper.keep_from(task.globs):
            self._begin(charge)
        charge.near = path
        self._charges.move_to_end(root)
        is_due = charge.work is None and time.monotonic() >= charge.again
        if is_due and not charge.keeper.is_watched:
            self._begin(charge)
        while len(self._charges) > MOST_PROJECTS:
            root, left = self._charges.popitem(last=False)
            left.keeper.close()
            _about(root, self._tell)("left")

    def _touched(self, touched: Touched) -> None:
        charge = self._charges.get(touched.root)
        if charge is not None and not (touched.everything and charge.keeper.is_ignored(touched)):
            charge.burst = charge.burst or Burst()
            charge.burst.add(touched)

    def _look(self) -> None:
        """Begin anew what was removed or moved, and try again to write what another process did."""
        now = time.monotonic()
        if now < self._looked + LOOK_SECONDS:
            return
        self._looked = now
        for charge in self._charges.values():
            keeper = charge.keeper
            tries_again = keeper.is_shared and now >= charge.again
            if charge.work is None and (tries_again or keeper.is_gone or keeper.is_elsewhere):
                self._begin(charge)

    def _begin(self, charge: Charge) -> None:
        charge.work = charge.keeper.scan(charge.near)
        charge.began = time.monotonic()
        charge.burst = None

    def _guarded(self, charge: Charge) -> None:
        """A step of a project's work; what goes wrong in it harms no other project."""
        root = charge.keeper.root
        try:
            self._step(charge)
        except IndexGone:
            logger.info("%s: its index was removed, and is made anew", root)
            self._begin(charge)
        except sqlite3.DatabaseError as error:
            if charge.keeper.is_gone:  # emptied, perhaps
                self._begin(charge)
                return
            if not is_broken(error) or not charge.keeper.is_writing:
                self._failed(charge, str(error))
                return
            logger.warning("%s: its index is broken, and is made anew: %s", root, error)
            charge.keeper.place.forget()
            self._begin(charge)
        except (KeyturnError, OSError) as error:
            self._failed(charge, str(error))
        except Closing:
            raise
        except Exception as error:  # the top of the thread
            logger.exception("%s could not be indexed", root)
            self._failed(charge, repr(error))

    def _failed(self, charge: Charge, why: str) -> None:
        charge.keeper.close()
        charge.work = charge.burst = None
        charge.again = time.monotonic() + AGAIN_SECONDS
        _about(charge.keeper.root, self._tell)("failed", problems=[why])

    def _step(self, charge: Charge) -> None:
        burst = charge.burst
        if burst is not None and time.monotonic() >= charge.due():
            charge.burst = None
            if burst.everything:
                self._begin(charge)
            else:
                charge.keeper.follow(burst.paths)
        elif charge.work is not None and next(charge.work, self) is self:
            charge.ended()


def _about(root: Path, tell: Tell) -> Tell:
    return lambda state, **facts: tell(project=str(root), state=state, **facts)
