"""Git's ignore rules in a folder, by its `.gitignore` files.

Git is not asked: it runs what a repository's own configuration names (`core.fsmonitor`).
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from .printable import printable
from .small_file import BadFile, read_bytes
from .wildmatch import BadPattern, Part, matches, parts_of

logger = logging.getLogger(__name__)

IGNORE_FILE = ".gitignore"
EXCLUDE_FILE = Path(".git", "info", "exclude")
MOST_LINES = 5_000


class GitIgnore:
    """The rules of one tree. Each file is read when its folder is first looked at; make a new
    one when any of them has changed.

    Where rules are that cannot be read, everything counts as ignored.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.problems: list[str] = []  # with the files that were looked at
        self._rules: dict[PurePath, Rules] = {}
        self._exclude = self._read(EXCLUDE_FILE)

    def ignores(self, path: PurePath, is_folder: bool) -> bool:
        """Whether `path` (relative to the root) or a folder that it is in is ignored."""
        parents = list(path.parents)[-2::-1]  # from the top, without the root itself
        return any(self.names(parent, True) for parent in parents) or self.names(path, is_folder)

    def names(self, path: PurePath, is_folder: bool) -> bool:
        """Whether a rule is for `path` itself: for those who come down from the root and don't
        enter ignored folders. The deepest file that says anything decides."""
        if path.name == ".git":
            return True
        parts = [os.fsencode(part) for part in path.parts]
        for depth, folder in enumerate(path.parents, 1):
            found = self._of(folder).verdict(parts[-depth:], is_folder)
            if found is not None:
                return found
        return bool(self._exclude.verdict(parts, is_folder))

    def _of(self, folder: PurePath) -> "Rules":
        if folder not in self._rules:
            self._rules[folder] = self._read(folder / IGNORE_FILE)
        return self._rules[folder]

    def _read(self, file: PurePath) -> "Rules":
        """The rules in a file, relative to the root; where it cannot be read, that ignores all."""
        path = self._root / file
        try:
            return Rules.read(path)
        except BadFile as error:
            problem = printable(f"nothing below {path.parent} is read: {path.name}: {error}")
            logger.warning("%s", problem)
            self.problems.append(problem)
            return Rules([b"*"])


@dataclass(frozen=True, slots=True)
class Rule:
    """One line. `anchored`: for a path from the file's own folder on, not for any name below."""

    parts: tuple[Part, ...]
    ignored: bool
    folders_only: bool
    anchored: bool

    def is_for(self, path: list[bytes], is_folder: bool) -> bool:
        if self.folders_only and not is_folder:
            return False
        return matches(self.parts, path if self.anchored else path[-1:])


class Rules:
    """One file's."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        rules = (_rule(line) for line in lines)
        self._rules = [rule for rule in rules if rule is not None][::-1]

    @classmethod
    def read(cls, path: Path) -> "Rules":
        """Raises `BadFile`."""
        lines = (read_bytes(path) or b"").removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if len(lines) > MOST_LINES:
            raise BadFile(f"it has more than {MOST_LINES:,} lines")
        return cls(lines)

    def verdict(self, path: list[bytes], is_folder: bool) -> bool | None:
        """Whether `path` itself is ignored by the last rule that is for it; None without one."""
        found = (rule.ignored for rule in self._rules if rule.is_for(path, is_folder))
        return next(found, None)


def _rule(line: bytes) -> Rule | None:
    """None for comments, and for what is no pattern: git passes over it."""
    line = line.removesuffix(b"\r")
    if line.startswith(b"#"):
        return None
    while line.endswith(b" ") and not line.endswith(b"\\ "):
        line = line[:-1]
    ignored, line = not line.startswith(b"!"), line.removeprefix(b"!")
    folders_only, line = line.endswith(b"/"), line.removesuffix(b"/")
    if not line:
        return None
    try:
        parts = parts_of(line.removeprefix(b"/"))
    except BadPattern:
        return None
    return Rule(parts, ignored, folders_only, anchored=b"/" in line)
