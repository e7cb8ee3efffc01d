"""Where the index of a project lies: a folder of its own in the cache folder, for its user only."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..paths import make_private

FOLDER = "projects"
DATABASE = "index.sqlite3"  # in a project's own folder
CHUNKS = "chunks"  # the folder beside it for what is encoded of all projects
FORGOTTEN = ".forgotten-"  # begins the name of a folder that is being removed


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` holds the database and what SQLite puts beside it; `lock` is held by its writer."""

    folder: Path

    @classmethod
    def of(cls, root: Path, cache: Path) -> "Place":
        """That of the project in `root`."""
        name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
        return cls(cache / FOLDER / name)

    @classmethod
    def all(cls, cache: Path) -> Iterator["Place"]:
        """Those that there are."""
        try:
            names = sorted(os.listdir(cache / FOLDER))
        except OSError:
            return
        for name in names:
            place = cls(cache / FOLDER / name)
            if not name.startswith(".") and place.folder.is_dir():
                yield place

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    @property
    def lock(self) -> Path:
        return self.folder.with_suffix(".lock")

    def make_parent(self) -> None:
        """Raises `UnsafeDirectory`, and `OSError` where nothing can be written."""
        self.folder.parent.parent.mkdir(parents=True, exist_ok=True)
        make_private(self.folder.parent)

    def make(self) -> None:
        """The same."""
        self.make_parent()
        make_private(self.folder)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        os.close(os.open(self.database, flags, 0o600))  # SQLite gives its other files this mode

    def bytes(self) -> int:
        """On disk."""
        total = 0
        for path in (self.database, *(Path(f"{self.database}-{end}") for end in ("wal", "shm"))):
            try:
                total += path.stat().st_size
            except OSError:
                continue
        return total

    def written(self) -> float:
        """When something was written to it, in seconds since the epoch; 0 for never."""
        times = [0.0]
        for path in (self.database, Path(f"{self.database}-wal")):
            try:
                times.append(path.stat().st_mtime)
            except OSError:
                continue
        return max(times)

    def identity(self) -> tuple[int, int] | None:
        """Another one after the index was removed, and made anew; None as long as nothing is in it,
        or once somebody has emptied it."""
        try:
            found = os.stat(os.path.join(self.folder, DATABASE), follow_symlinks=False)
        except OSError:
            return None
        is_one = stat.S_ISREG(found.st_mode) and found.st_size > 0
        return (found.st_dev, found.st_ino) if is_one else None

    def forget(self) -> bool:
        """Remove the index, all its files at once: whoever has it open goes on with what is gone,
        and notices by its identity. False if there was none."""
        away = self.folder.with_name(f"{FORGOTTEN}{os.getpid()}-{self.folder.name}")
        shutil.rmtree(away, ignore_errors=True)
        try:
            self.folder.rename(away)
        except FileNotFoundError:
            return False
        shutil.rmtree(away, ignore_errors=True)
        return True
