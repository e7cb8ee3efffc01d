"""The cache folder: what can be made again, and what goes wrong where nothing can be written."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ModelError
from ..user_folder import user_folder

MARGIN_BYTES = 64 << 20


def cache_folder() -> Path:
    """$KEYTURN_CACHE, or the user's cache folder for keyturn; it need not exist yet. Raises
    `NoHomeFolder`."""
    chosen = os.environ.get("KEYTURN_CACHE")
    return Path(chosen) if chosen else user_folder("cache")


@contextmanager
def cache_errors(folder: Path) -> Iterator[None]:
    """Turn the operating system's refusals into a `ModelError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "the disk is full: free some space, or set KEYTURN_CACHE to another disk"
        else:
            advice = f"{error.strerror}: set KEYTURN_CACHE to a folder that you can write to"
        raise ModelError(f"cannot write to the cache folder {folder}: {advice}") from error


def require_space(folder: Path, needed_bytes: int, what: str) -> None:
    """Raise `ModelError` unless the disk of `folder`, which must exist, has room for `what`."""
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes + MARGIN_BYTES:
        raise ModelError(
            f"{what} needs {needed_bytes / 1e6:,.0f} MB in {folder} and {free_bytes / 1e6:,.0f} MB"
            " are free: free some space, or set KEYTURN_CACHE to another disk"
        )
