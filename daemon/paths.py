"""Paths of the daemon's socket, lock and log, for this user on this machine."""

import hashlib
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from ..cache.errors import KeyturnError
from ..models.user_folder import user_folder

SOCKET_PATH_BYTES = 100  # the system's limit is 108 on Linux and 104 elsewhere, with a zero


class UnsafeDirectory(KeyturnError):
    """A directory that must be ours alone isn't."""


@dataclass(frozen=True, slots=True)
class DaemonPaths:
    """`runtime` holds the socket and the locks; `log` outlives a restart of the machine, and so
    does `feedback`: how suggestions were received."""

    runtime: Path
    log: Path

    @property
    def feedback(self) -> Path:
        return self.log.with_name("feedback.txt")

    @property
    def socket(self) -> Path:
        return self.runtime / "daemon.sock"

    @property
    def lock(self) -> Path:
        """Held by the daemon for as long as it lives."""
        return self.runtime / "daemon.lock"

    @property
    def starting(self) -> Path:
        """Held by a front while it starts a daemon, so that only one does."""
        return self.runtime / "starting.lock"


def daemon_paths(environment: dict[str, str] | None = None) -> DaemonPaths:
    """The paths for this user; `KEYTURN_RUNTIME_DIR` and `KEYTURN_STATE_DIR` take precedence.

    Raises `NoHomeFolder`.
    """
    environment = dict(os.environ) if environment is None else environment
    chosen = environment.get("KEYTURN_RUNTIME_DIR")
    runtime = Path(chosen) if chosen else _runtime(environment)
    state = Path(environment.get("KEYTURN_STATE_DIR") or user_folder("state"))
    return DaemonPaths(_short_enough(runtime), state / "daemon.log")


def make_private(directory: Path) -> None:
    """Create `directory`, or check it: ours, and closed to everyone else.

    The directory is what protects the socket, whose own mode some systems ignore. Raises
    `UnsafeDirectory`.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UnsafeDirectory(
            f"the folder of the daemon's socket cannot be made: {directory}: {error.strerror};"
            " set KEYTURN_RUNTIME_DIR to one of your own"
        ) from error
    found = directory.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeDirectory(
            f"{directory} is a symbolic link, which the folder of the daemon's socket may not be;"
            " remove it, or set KEYTURN_RUNTIME_DIR to where it leads"
        )
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise UnsafeDirectory(f"{directory} belongs to someone else; remove it")
    if stat.S_IMODE(found.st_mode) & 0o077:
        directory.chmod(0o700)


def check_files(paths: DaemonPaths) -> None:
    """Raises `UnsafeDirectory` where something stands that keeps the daemon from its files: a lock
    must be one, while in the socket's place it replaces whatever is no folder."""
    for path in (paths.lock, paths.starting, paths.socket):
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UnsafeDirectory(f"cannot look at {path}: {error.strerror}") from error
        lock = path != paths.socket
        if stat.S_ISDIR(mode) or (lock and not stat.S_ISREG(mode)):
            what = "a lock" if lock else "the socket"
            raise UnsafeDirectory(
                f"{path} is {_kind(mode)}, where the daemon has {what}; remove it"
            )
        if lock and not os.access(path, os.R_OK | os.W_OK):
            raise UnsafeDirectory(f"{path} cannot be read and written; remove it")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a symbolic link" if stat.S_ISLNK(mode) else "no ordinary file"


def _runtime(environment: dict[str, str]) -> Path:
    """The session's own folder where the system has one; elsewhere one of ours in the folder for
    temporary files, whose sticky bit keeps others from renaming it."""
    if environment.get("XDG_RUNTIME_DIR") or sys.platform == "darwin":
        return platformdirs.user_runtime_path("keyturn")
    return Path(tempfile.gettempdir()) / f"keyturn-{os.getuid()}"


def _short_enough(runtime: Path) -> Path:
    """`runtime`, or a directory of the same name by hash where a socket's path may be that long."""
    if len(os.fsencode(runtime / "daemon.sock.1234567")) <= SOCKET_PATH_BYTES:
        return runtime
    name = hashlib.sha256(os.fsencode(runtime)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"keyturn-{os.getuid()}-{name}"
