"""What the editors that have files of a project open allow of it, all of them together."""

from collections.abc import Callable
from pathlib import Path

from ..server.engine import File, OpenFiles


class OpenRules:
    """Looks at the open files of all clients, as they are when it is asked."""

    def __init__(self, open_files: OpenFiles, path_of: Callable[[str], str]) -> None:
        self._open_files = open_files
        self._path_of = path_of

    def globs(self, file: File, root: Path) -> tuple[str, ...] | None:
        """Those that no file may match which is read or shown of the project in `root`, where
        `file` is open. None if none of its editors lets it be read."""
        opened = self._open_files()
        told = {file.project, *(each.project for each in opened)}
        if len(told) > 1:
            told = {file.project, *(each.project for each in opened if self._is_in(each, root))}
        if not any(rules.is_read for rules in told):
            return None
        return tuple(sorted({glob for rules in told for glob in rules.disabled_globs}))

    def _is_in(self, file: File, root: Path) -> bool:
        return Path(self._path_of(file.key.uri)).is_relative_to(root)
