"""The token that a server asks for: from the environment, or a file that nobody else can read."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from ...cache.errors import InputError
from ..config import user_folder_of

VARIABLE = "KEYTURN_TOKEN"
FILE = "token"


def token_path(environment: Mapping[str, str]) -> Path:
    """Of the file."""
    return user_folder_of(environment) / FILE


def token(environment: Mapping[str, str] = os.environ) -> str | None:
    """None where there is none. Raises `InputError` for a file that others can read."""
    if found := environment.get(VARIABLE, "").strip():
        return _checked(found, VARIABLE)
    path = token_path(environment)
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise InputError(f"others can read {path}: chmod 600 {path}")
            found = file.read(4_096).strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return _checked(found, str(path)) if found else None


def _checked(found: str, where: str) -> str:
    """What an HTTP header can carry."""
    if not found.isascii() or not found.isprintable() or " " in found:
        raise InputError(f"{where} holds no token: one word of letters, digits and signs")
    return found
