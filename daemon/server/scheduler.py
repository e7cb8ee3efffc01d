"""The order of jobs. Plain Python, no threads: `engine_thread.py` adds the lock.

* Everything that changes state (open, edit, close, load, …) is first in, first out, and goes
  before completions, so a completion always sees the edits that were sent before it.
* One completion waits per file. A newer one takes its place, and an edit that makes it stale
  cancels it: nobody would show the answer. But what the user asked for by hand is not given up for
  an automatic request at the same place: that one is.
* Users take turns, then their files: what was just served goes to the end.
* Looking for a next edit comes after all completions; an edit, or another look, gives it up.
* Refreshing is what there is to do when there is nothing to do.
* Preparing comes before it, but only when its user did not type for a moment: its steps are
  longer.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from ...api.request import CompletionRequest, Trigger
from .jobs import Close, Complete, Edit, FileKey, Job, NextEdit, Open, Prepare, Refresh, Surround

QUIET_SECONDS = 0.25  # without a key or a request of a user's


class Scheduler:
    """Jobs waiting, and the completion that is running."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changes: deque[Job] = deque()
        self._completions: OrderedDict[FileKey, Complete] = OrderedDict()
        self._looks: OrderedDict[FileKey, NextEdit] = OrderedDict()
        self._refresh: OrderedDict[FileKey | None, None] = OrderedDict()
        self._prepare: dict[FileKey, float] = {}  # when each is due
        self._quiet_at: dict[int, float] = {}  # by user
        self._turns: dict[int, int] = {}  # by user: the number of the last completion served
        self.running: Complete | None = None

    def __len__(self) -> int:
        """Jobs that are due; refreshing and preparing are never due."""
        return len(self._changes) + len(self._completions) + len(self._looks)

    @property
    def is_urgent(self) -> bool:
        """Whether anything is due that goes before a look for a next edit."""
        return bool(self._changes or self._completions)

    def put(self, job: Job) -> list[Complete | NextEdit]:
        """Add a job. The completions given back were superseded: they won't be run, or are told
        to stop."""
        match job:
            case Complete(file):
                self._stir(file)
                return [*self._put_completion(job)]
            case NextEdit(file):
                older = self._looks.pop(file, None)
                self._looks[file] = job
                return [] if older is None else [older]
            case Prepare(file, after_seconds):
                due = self._clock() + after_seconds
                self._prepare[file] = min(due, self._prepare.get(file, due))  # a key came meanwhile
                return []
            case Refresh(file):
                self._refresh[file] = None
                return []
            case Edit(file, version, edits):
                self._stir(file)
                last = self._changes[-1] if self._changes else None
                if isinstance(last, Edit) and last.file == file:
                    self._changes[-1] = Edit(file, version, last.edits + edits)
                else:
                    self._changes.append(job)
                return self._drop(file, older_than=version)
            case Open(file):
                self._stir(file)
                self._changes.append(job)
                return self._drop(file)
            case Surround(file):
                self._prepare[file] = 0.0
                self._changes.append(job)
                return []
            case Close(file):
                self._prepare.pop(file, None)
                self._changes.append(job)
                return self._drop(file)
            case _:
                self._changes.append(job)
                return []

    def take(self) -> Job | None:
        """The next job: a change, a completion (then `running` is set), what is to be prepared by
        now, or a refresh."""
        self.running = None
        if self._changes:
            return self._changes.popleft()
        if self._completions:
            self.running = self._next_completion()
            return self.running
        if self._looks:
            return self._looks.popitem(last=False)[1]
        if self.wait_seconds() == 0:
            file = min(self._prepare, key=self._due_at)
            del self._prepare[file]
            return Prepare(file)
        if self._refresh:
            return Refresh(self._refresh.popitem(last=False)[0])
        return None

    def wait_seconds(self) -> float | None:
        """How long until there is something to prepare, if nothing else comes; None for ever."""
        if not self._prepare:
            return None
        return max(0.0, min(map(self._due_at, self._prepare)) - self._clock())

    def _due_at(self, file: FileKey) -> float:
        """When a file is to be prepared."""
        return max(self._quiet_at.get(file.user, 0.0), self._prepare[file])

    def put_back(self, job: NextEdit) -> bool:
        """Have a look that was interrupted wait again, unless a newer one does."""
        if job.file in self._looks:
            return False
        self._looks[job.file] = job
        return True

    def withdraw(self, job: Complete) -> bool:
        """Cancel one completion; True if it was still waiting and will not be run."""
        job.cancelled.set()
        if self._completions.get(job.file) is job:
            del self._completions[job.file]
            return True
        return False

    def _next_completion(self) -> Complete:
        """The one that waits longest of the user who was not served for longest."""
        file = min(self._completions, key=lambda each: self._turns.get(each.user, 0))
        self._turns[file.user] = max(self._turns.values(), default=0) + 1
        return self._completions.pop(file)

    def _stir(self, file: FileKey) -> None:
        """Something happened to a file: it is to be prepared anew when its user is quiet again."""
        self._quiet_at[file.user] = self._clock() + QUIET_SECONDS
        self._prepare[file] = 0.0

    def _put_completion(self, job: Complete) -> list[Complete]:
        older = self._completions.get(job.file)
        if _gives_way(job, older) or _gives_way(job, self.running):
            job.cancelled.set()
            return [job]
        superseded = self._stop_running(job.file)
        self._completions[job.file] = job  # in the older one's place in the line, if there is one
        if older is not None:
            older.cancelled.set()
            superseded.append(older)
        return superseded

    def _drop(self, file: FileKey, older_than: int | None = None) -> list[Complete | NextEdit]:
        """Cancel what was asked of `file` before it changed."""
        superseded: list[Complete | NextEdit] = [*self._stop_running(file, older_than)]
        look = self._looks.get(file)
        if look is not None and (older_than is None or look.query.version < older_than):
            superseded.append(self._looks.pop(file))
        waiting = self._completions.get(file)
        if waiting is not None and _is_stale(waiting.request, older_than):
            del self._completions[file]
            waiting.cancelled.set()
            superseded.append(waiting)
        return superseded

    def _stop_running(self, file: FileKey, older_than: int | None = None) -> list[Complete]:
        running = self.running
        if running is None or running.file != file or running.cancelled.is_set():
            return []
        if not _is_stale(running.request, older_than):
            return []
        running.cancelled.set()
        return [running]


def _is_stale(request: CompletionRequest, older_than: int | None) -> bool:
    return older_than is None or request.version < older_than


def _gives_way(job: Complete, older: Complete | None) -> bool:
    """Whether the user asked for `older` by hand at the very place of an automatic `job`."""
    if older is None or older.file != job.file or older.cancelled.is_set():
        return False
    asked, new = older.request, job.request
    by_hand = asked.trigger is Trigger.INVOKED and new.trigger is not Trigger.INVOKED
    return by_hand and (asked.version, asked.offset) == (new.version, new.offset)
