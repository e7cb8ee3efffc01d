"""The settings in force: the editor's over those of the configuration files, and what is wrong
with either.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from .options import Options, shown

MOST_SAID = 3  # problems at once

MOST_KNOWN = 100  # of different ones; what comes after is not said


class OfFiles(NamedTuple):
    """What the files say in a workspace. Not `whole`: one could not be read at all."""

    options: Options
    problems: Iterable[str] = ()
    whole: bool = True


Configured = Callable[[str | None], OfFiles]  # of a workspace; None: wherever the process is


class Settings:
    """Owns the options in force: the editor's settings over those of the files. Each problem is
    said once."""

    def __init__(self, configured: Configured, changed: Callable[[], None]) -> None:
        """`changed` is called when other options may be in force, or a problem is new."""
        self._configured = configured
        self._folders: list[str] = []
        self._of_files: Options | None = None
        self._of_editor: Mapping[str, Any] = {}
        self._unsaid: list[str] = []
        self._known: set[str] = set()  # those said, or about to be
        self._changed = lambda: None
        self.options = Options()
        self.reread()
        self._changed = changed

    def enter(self, folders: list[str]) -> None:
        """Use the files that hold in these folders."""
        self._folders, self._of_files = folders, None
        self.reread()

    def reread(self) -> None:
        """Use the files as they are now: those of the first folder, but what any folder keeps from
        us by a glob is kept. While one cannot be read, what was read before goes on to count: it
        may keep files from us."""
        found = [self._configured(path) for path in self._folders or [None]]
        globs = dict.fromkeys(glob for each in found for glob in each.options.disabled_globs)
        if all(each.whole for each in found) or self._of_files is None:
            self._of_files = replace(found[0].options, disabled_globs=tuple(globs))
        self._apply([line for each in found for line in each.problems])

    def configure(self, given: Any) -> None:
        """Put the editor's settings, as it sent them, over those of the files."""
        if isinstance(given, Mapping) and "keyturn" in given:
            given = given["keyturn"]
        if isinstance(given, list) and not given:  # as Lua sends a table without entries
            given = {}
        if isinstance(given, Mapping):
            self._of_editor = given
            self._apply([])
        elif given is not None:
            self._apply([f"keyturn: the settings are {shown(given)}, but must be an object"])

    def toggle(self) -> None:
        """Switch suggestions off, or on again, until the editor's own settings change."""
        self._of_editor = {**self._of_editor, "enabled": not self.options.enabled}
        self._apply([])

    def unsaid(self) -> list[str]:
        """The problems that nobody has been told yet, each a line, or one line for all where they
        are many. They count as said."""
        found, self._unsaid = self._unsaid, []
        if len(found) > MOST_SAID:
            rest = len(found) - MOST_SAID
            found = ["; ".join(found[:MOST_SAID]) + f"; and {rest:,} problems more"]
        return found

    def _apply(self, problems: Iterable[str]) -> None:
        """`problems` are those of the files; the editor's are found here."""
        self.options, more = (self._of_files or Options()).updated(self._of_editor)
        fresh = [each for each in dict.fromkeys((*problems, *more)) if each not in self._known]
        fresh = fresh[: max(0, MOST_KNOWN - len(self._known))]
        self._known.update(fresh)
        self._unsaid += fresh
        self._changed()
