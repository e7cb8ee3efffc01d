"""The system message of a format that has one, from the file that the user names."""

from pathlib import Path

from ...cache.errors import InputError
from ..workspace.small_file import BadFile, read_text


def system_message(path: str) -> str:
    """Nothing where none is named. Raises `InputError` for a file that cannot be read."""
    if not path:
        return ""
    try:
        found = read_text(Path(path).expanduser(), follow=True)
    except (BadFile, ValueError) as error:
        raise InputError(f"model.next_edit_system: {error}") from error
    if found is None:
        raise InputError(f"model.next_edit_system: {path} is not there")
    return found.strip()
