"""A project's files on disk: those worth reading, and their text.

A project is a git repository, or a folder with a `keyturn.toml`. What lies elsewhere is nobody's
business but the editor's.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

from ...lsp.options import Options
from .gitignore import GitIgnore
from .language import language_of
from .small_file import BadFile, read_text

REPOSITORY = ".git"
MARKERS = (REPOSITORY, "keyturn.toml")  # a repository within counts before a marked folder
MOST_FILE_BYTES = 200_000  # larger ones are generated, or data
MOST_FOLDERS = 5_000
MOST_ENTRIES = 10_000  # looked at in one folder


@dataclass(frozen=True, slots=True)
class Volume:
    """One file as it was read."""

    path: Path
    language: str
    text: str


def project_of(path: Path) -> Path | None:
    """The root of the project that `path` is in, by its name: links count where they lie."""
    parents = Path(os.path.normpath(path)).parents
    for marker in MARKERS:
        for folder in parents:
            if os.path.lexists(folder / marker):  # nor does a name fail that no file can have
                return folder
    return None


class Project:
    """One project's rules, read when it is made."""

    def __init__(self, root: Path, options: Options) -> None:
        self.root = root
        self._options = options
        self._ignore = GitIgnore(root)
        self._real_root = os.path.realpath(root)

    @property
    def problems(self) -> list[str]:
        """With the rules that were looked at so far."""
        return self._ignore.problems

    def files(self, ended: Callable[[], bool] = lambda: False) -> Iterator[Path]:
        """Those worth reading, top folders first, as far as it gets until `ended()`."""
        folders = [self.root]
        for folder in folders:
            for entry in _entries(folder):
                if ended():
                    return
                path = PurePath(entry.path).relative_to(self.root)
                if entry.is_dir(follow_symlinks=False):
                    if len(folders) < MOST_FOLDERS and self._is_entered(path):
                        folders.append(Path(entry.path))
                elif (
                    entry.is_file(follow_symlinks=False)
                    and self._wanted(path)
                    and not self._ignore.names(path, False)
                ):
                    yield Path(entry.path)

    def top_folders(self) -> list[Path]:
        """Those directly in the root whose files are the project's."""
        return [
            Path(entry.path)
            for entry in _entries(self.root)
            if entry.is_dir(follow_symlinks=False) and self._is_entered(PurePath(entry.name))
        ]

    def read(self, path: Path) -> Volume | None:
        """The file, unless it is ignored, secret, large, binary, a link, outside, in a repository
        of its own, or not there."""
        if not self.holds(path):
            return None
        relative = path.relative_to(self.root)
        if not self._wanted(relative) or self.ignores(path, False):
            return None
        text = _text(path)
        return None if text is None else Volume(path, language_of(path.name).id, text)

    def holds(self, path: Path) -> bool:
        """Whether the folder of a path is the root or in it, not by its name alone: links and dots
        lead out."""
        if self.root not in path.parents:
            return False
        expected = os.path.join(self._real_root, *path.parent.relative_to(self.root).parts)
        return os.path.realpath(path.parent) == expected

    def ignores(self, path: Path, is_folder: bool) -> bool:
        """Whether git ignores what is at a path in the project, or a folder that it is in; what
        lies in another repository within counts as ignored."""
        relative = path.relative_to(self.root)
        folders = list(relative.parents)[:-1]
        is_foreign = any(_is_repository(self.root / folder) for folder in folders)
        return is_foreign or self._ignore.ignores(relative, is_folder)

    def _is_entered(self, folder: PurePath) -> bool:
        """Whether files are looked for in a folder that those who come from the root get to."""
        return not self._ignore.names(folder, True) and not _is_repository(self.root / folder)

    def _wanted(self, path: PurePath) -> bool:
        language = language_of(path.name).id
        uri = (self.root / path).as_uri()
        return language != "plaintext" and self._options.allows(uri, language, 0)


def _is_repository(folder: Path) -> bool:
    return os.path.lexists(folder / REPOSITORY)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(islice(entries, MOST_ENTRIES), key=lambda entry: entry.name)
    except OSError:  # gone, or closed to us
        return []


def _text(path: Path) -> str | None:
    """Of a regular file that is small, and text in UTF-8."""
    try:
        text = read_text(path, MOST_FILE_BYTES)
    except BadFile:
        return None
    return None if text is None or "\0" in text else text
