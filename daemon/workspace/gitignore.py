"""Git's ignore rules in a folder: its `.gitignore` files, the repository's `info/exclude`, and the
user's own file at its usual place.

Git is not asked: it runs what a repository's own configuration names (`core.fsmonitor`).
"""

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from .printable import printable
from .small_file import BadFile, read_bytes, read_text
from .wildmatch import BadPattern, Part, matches, parts_of

logger = logging.getLogger(__name__)

IGNORE_FILE = ".gitignore"
EXCLUDE_FILE = Path("info", "exclude")  # in the folder that git keeps a repository in
USERS_FILE = Path("git", "ignore")  # in the user's configuration
MOST_LINES = 5_000


class GitIgnore:
    """The rules of one tree. Each file is read when its folder is first looked at; make a new
    one when any of them has changed.

    Where rules are that cannot be read, everything counts as ignored.
    """

    def __init__(self, root: Path, environment: Mapping[str, str] = os.environ) -> None:
        self._root = root
        self.problems: list[str] = []  # with the files that were looked at
        self._rules: dict[PurePath, Rules] = {}
        self._least = [  # what says least comes last
            self._read(_repository_of(root) / EXCLUDE_FILE),
            self._read(_configuration(environment) / USERS_FILE, follow=True),
        ]

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
        verdicts = (rules.verdict(parts, is_folder) for rules in self._least)
        return next((found for found in verdicts if found is not None), False)

    def _of(self, folder: PurePath) -> "Rules":
        if folder not in self._rules:
            self._rules[folder] = self._read(self._root / folder / IGNORE_FILE)
        return self._rules[folder]

    def _read(self, path: Path, follow: bool = False) -> "Rules":
        """The rules in a file; where it cannot be read, that ignores all."""
        try:
            return Rules.read(path, follow)
        except BadFile as error:
            problem = printable(f"nothing below {self._below(path)} is read: {path.name}: {error}")
            logger.warning("%s", problem)
            self.problems.append(problem)
            return Rules([b"*"])

    def _below(self, path: Path) -> Path:
        """For which folder the rules in a file are."""
        return path.parent if path.name == IGNORE_FILE else self._root


def _repository_of(root: Path) -> Path:
    """Where git keeps what all work trees of a repository share: `.git`, or what a file of that
    name leads to."""
    folder = root / ".git"
    if (leads := _line(folder, "gitdir: ")) is None:
        return folder
    folder = root / leads
    return folder / (_line(folder / "commondir") or "")


def _line(path: Path, begin: str = "") -> str | None:
    """What a file of one line says behind `begin`; None if it is no such file."""
    try:
        text = read_text(path)
    except BadFile:
        return None
    found = None if text is None or not text.startswith(begin) else text.removeprefix(begin)
    return None if found is None else found.rstrip("\r\n")


def _configuration(environment: Mapping[str, str]) -> Path:
    """The user's, as git finds it."""
    chosen = environment.get("XDG_CONFIG_HOME")
    return Path(chosen) if chosen else Path(environment.get("HOME", "/")) / ".config"


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
    def read(cls, path: Path, follow: bool = False) -> "Rules":
        """Links are followed only if `follow`. Raises `BadFile`."""
        lines = (read_bytes(path, follow=follow) or b"").removeprefix(b"\xef\xbb\xbf").split(b"\n")
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
