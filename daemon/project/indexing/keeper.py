"""The keeper of one project's index: it reads the project's files, and again what has changed.

The work is made of small steps, between which other projects have their turn; before each,
`Pace.step` may rest. What is read is what `Project` allows: nothing that git ignores, that the
disabled globs match, that is large, binary, a link or outside.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import filelock

from ....lsp.options import Options
from ...workspace.language import language_of
from ...workspace.project import MOST_FILE_BYTES, Project
from ...workspace.project_watch import DECISIVE, ProjectWatch, Touched
from ..outline import Outline
from ..place import Place
from ..reading.reader import outline
from ..reading.shapes import SHAPES
from ..retrieval.imports import resolve
from .listing import Listing
from .pace import Pace
from .suspects import Suspects
from .writer import IndexWriter, Stamp

MOST_FILES = 20_000  # of a project
MOST_LOOKED_AT = 200_000  # names of files
COMMIT_SECONDS = 0.25
COMMIT_FILES = 50
MANY = 500  # files read, after which the index is settled

# The settings that hold in a project's root; None while they cannot be read.
SettingsIn = Callable[[Path], Options | None]
# What no file may match, beside the globs of the settings; None: the project is not to be read.
Globs = tuple[str, ...] | None


class Keeper:
    """`tell` is called with a word for what it does, and facts."""

    def __init__(
        self,
        root: Path,
        place: Place,
        settings_in: SettingsIn,
        watch: ProjectWatch,
        pace: Pace,
        tell: Callable[..., None],
        globs: Globs = (),
    ) -> None:
        self.root = root
        self.place = place
        self.is_watched = False  # all of it
        self.is_shared = False  # another process writes the index
        self._globs = globs
        self._options: Options | None = None  # by which the project was last read
        self._settings_in = settings_in
        self._watch = watch
        self._pace = pace
        self._tell = tell
        self._lock = filelock.FileLock(place.lock, mode=0o600)
        self._project: Project | None = None
        self._writer: IndexWriter | None = None
        self._suspects = Suspects(place)
        self._stamps: dict[str, Stamp] = {}  # of what is in the index
        self._uncommitted = 0
        self._committed_at = 0.0
        self._read_lately = 0

    def keep_from(self, globs: Globs) -> bool:
        """Read nothing that these match or the settings forbid, nor anything at all before the
        next scan. False if that is what holds already."""
        options = self._settings_in(self.root)
        if globs == self._globs and options in (None, self._options):
            return False
        self._globs, self._project = globs, None
        return True

    def is_ignored(self, touched: Touched) -> bool:
        """Whether it is all the same what happened to a folder, or to rules: git ignores it."""
        path = touched.path.parent if touched.path.name in DECISIVE else touched.path
        if self._project is None or self.root not in path.parents:
            return False
        return self._project.ignores(path, True)

    @property
    def is_writing(self) -> bool:
        """Whether the index is this keeper's to write, and is still there."""
        return self._writer is not None and self._writer.is_there()

    @property
    def is_gone(self) -> bool:
        """Whether the index was removed."""
        return self._writer is not None and not self._writer.is_there()

    @property
    def is_elsewhere(self) -> bool:
        """Whether the project's folder is another one than the one that is watched."""
        return self._watch.has_lost(self.root)

    def scan(self, near: Path) -> Iterator[None]:
        """Make the index true, what is near the file `near` first. Raises what `IndexWriter` does,
        and `Closing`."""
        options = self._settings_in(self.root)
        if options is None:
            self._tell("settings cannot be read")
            return
        self._options = options
        if not options.project or self._globs is None:
            self.close()
            self.place.forget()
            self._tell("off")
            return
        self.is_shared = not self._open()
        if self.is_shared:
            self._tell("shared")
            return
        globs = tuple(dict.fromkeys((*options.disabled_globs, *self._globs)))
        project = self._project = Project(self.root, replace(options, disabled_globs=globs))
        self.is_watched = self._watch.watch(project)  # before reading: nothing is missed between
        self._tell("reading")
        near = Path(os.path.normpath(near))
        for path in _beside(near) if project.holds(near) else ():
            self._read(path)
            yield
        yield from self._read_all(project, near)

    def follow(self, paths: Iterable[Path]) -> None:
        """Read these files again, or forget them."""
        if self._project is None or not self.is_writing:
            return
        for path in paths:
            if self.root in path.parents:
                self._read(path)
        self._commit()

    def close(self) -> None:
        """Leave the index to others."""
        self._watch.forget(self.root)
        self._project = None
        self.is_watched = self.is_shared = False
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._suspects.close()
        self._lock.release()

    def _open(self) -> bool:
        """Whether the index can be written to; somebody else may be writing it."""
        if self._writer is not None:
            if self._writer.is_there():
                return True
            self.place.forget()  # what is left of it: it was emptied, perhaps
            self._writer.close()
            self._writer = None
        self.place.make_parent()
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            return False
        self._writer = IndexWriter(self.place, self._pace.step)
        self._writer.note(root=str(self.root).encode("utf-8", "replace").decode())
        self._writer.commit()
        self._stamps = self._writer.stamps()
        self._suspects.open(self._writer)
        return True

    def _read_all(self, project: Project, near: Path) -> Iterator[None]:
        listing = Listing()
        for path in islice(project.files(self._is_over), MOST_LOOKED_AT):
            if (name := self._name(path)) is not None:
                listing.add(name)
            yield
        here = self._name(near) or ""
        chosen: dict[str, None] = {}
        for name in chain(self._imported(near, here, listing), listing.nearest_to(here)):
            if len(chosen) >= MOST_FILES:
                break
            chosen[name] = None
            yield
        for name in [name for name in self._stamps if name not in chosen]:
            self._forget(name)
            yield
        for name in chosen:
            self._read(self.root / name)
            yield
        assert self._writer is not None
        self._writer.note(left_out=len(listing) - len(chosen), read_at=time.time())
        self._commit()
        if not self._writer.is_settled or self._read_lately > MANY:
            yield from self._writer.settle()
            self._read_lately = 0
        self._tell("read", files=len(self._stamps), problems=project.problems[:5])

    def _imported(self, near: Path, name: str, listing: Listing) -> Iterator[str]:
        """The files that the file `near` imports, as far as names tell."""
        volume = self._project.read(near) if self._project else None
        if volume is None:
            return
        found = outline(name, volume.language, volume.text, self._pace.step, uses=False)
        for each in found.imports:
            yield from resolve(each, name, volume.language, listing)

    def _is_over(self) -> bool:
        self._pace.step()
        return False

    def _read(self, path: Path) -> None:
        """Look at one file, and read it if it has changed."""
        self._pace.step()
        name = self._name(path)
        if name is None or self._writer is None or self._project is None:
            return
        stamp = _stamp(path)
        if stamp is None:
            self._forget(name)
        elif stamp != self._stamps.get(name):
            self._read_anew(path, name, stamp)
        if self._uncommitted >= COMMIT_FILES or time.monotonic() > self._committed_at:
            self._commit()

    def _read_anew(self, path: Path, name: str, stamp: Stamp) -> None:
        assert self._writer is not None
        assert self._project is not None
        if name not in self._stamps and len(self._stamps) >= MOST_FILES:
            return
        volume = self._project.read(path)
        if volume is None:
            self._forget(name)
            return
        with self._suspects.reading(name, stamp) as may_be_read:
            read = Outline(name, volume.language)
            if may_be_read:
                read = outline(name, volume.language, volume.text, self._pace.step, uses=False)
        self._writer.put(read, stamp)
        self._stamps[name] = stamp
        self._uncommitted += 1
        self._read_lately += 1

    def _forget(self, name: str) -> None:
        if self._writer is not None and self._stamps.pop(name, None) is not None:
            self._writer.remove(name)
            self._uncommitted += 1

    def _commit(self) -> None:
        if self._writer is not None:
            self._writer.commit()
        self._uncommitted = 0
        self._committed_at = time.monotonic() + COMMIT_SECONDS

    def _name(self, path: Path) -> str | None:
        """A file's path in the index; None for files in whose language nothing is found, or whose
        name is no text."""
        if language_of(path.name).id not in SHAPES:
            return None
        try:
            name = path.relative_to(self.root).as_posix()
            name.encode()
        except ValueError:  # half characters, or outside
            return None
        return name


def _beside(near: Path) -> list[Path]:
    """The files in the folder of `near`, itself first."""
    try:
        names = sorted(islice(os.listdir(near.parent), 1_000))
    except (OSError, ValueError):
        names = []
    return [near, *(near.parent / name for name in names if name != near.name)]


def _stamp(path: Path) -> Stamp | None:
    """Of a regular file that is not too large."""
    try:
        found = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return None
    is_wanted = stat.S_ISREG(found.st_mode) and found.st_size <= MOST_FILE_BYTES
    return Stamp.of(found) if is_wanted else None
