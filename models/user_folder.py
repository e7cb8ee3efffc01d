"""The user's own folders for keyturn, as the system has them."""

from pathlib import Path
from typing import Literal

import platformdirs

from ..cache.errors import KeyturnError


class NoHomeFolder(KeyturnError):
    """This user has no home folder, as in a container that runs under a number."""


def user_folder(kind: Literal["cache", "config", "state"]) -> Path:
    """It need not exist yet. Raises `NoHomeFolder`."""
    find = {
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
        "state": platformdirs.user_state_path,
    }
    try:
        found = find[kind]("keyturn")
    except RuntimeError:
        found = Path()
    if not found.is_absolute():  # what older versions of platformdirs give instead
        variables = "KEYTURN_CACHE, KEYTURN_CONFIG_DIR and KEYTURN_STATE_DIR"
        raise NoHomeFolder(f"this user has no home folder: set HOME to one, or {variables}")
    return found
