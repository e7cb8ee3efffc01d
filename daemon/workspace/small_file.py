"""Small files that come with whatever was cloned (rules, settings), read so that none can do harm.

A link may lead to a device that never ends, a pipe to a writer that never comes, and a file may be
as large as the disk.
"""

import errno
import os
import stat
from pathlib import Path

from ...cache.errors import KeyturnError

MOST_BYTES = 256 * 1024  # of rules and settings


class BadFile(KeyturnError):
    """It is there, and is not what is read; `str(error)` says why, without the path."""


def read_bytes(path: Path, most_bytes: int = MOST_BYTES, follow: bool = False) -> bytes | None:
    """All of a regular file; None if there is none. Never waits for a writer.

    Links are followed only if `follow`. Raises `BadFile`.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:  # a zero in its name
        raise BadFile(str(error)) from error
    except OSError as error:
        linked = error.errno == errno.ELOOP and not follow
        raise BadFile("it is a link" if linked else str(error.strerror)) from error
    try:
        return _read(descriptor, most_bytes)
    except OSError as error:
        raise BadFile(str(error.strerror)) from error
    finally:
        os.close(descriptor)


def _read(descriptor: int, most_bytes: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise BadFile("it is no regular file")
    data = b""
    while more := os.read(descriptor, most_bytes + 1 - len(data)):
        data += more
    if len(data) > most_bytes:
        raise BadFile(f"it is larger than {most_bytes:,} bytes")
    return data


def read_text(path: Path, most_bytes: int = MOST_BYTES, follow: bool = False) -> str | None:
    """The same, as text in UTF-8."""
    data = read_bytes(path, most_bytes, follow)
    try:
        return None if data is None else data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadFile(f"it is not valid UTF-8 at byte {error.start}") from error
