"""What git ignores in a folder, by the `.gitignore` files in it."""

from collections.abc import Iterable
from pathlib import Path, PurePath

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

IGNORE_FILE = ".gitignore"
EXCLUDE_FILE = Path(".git", "info", "exclude")
BELOW = "ps_d"  # pathspec's group for the slash behind what a pattern names


class GitIgnore:
    """The rules of one tree. Each file is read when its folder is first looked at; make a new
    one when any of them has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._rules: dict[PurePath, Rules] = {}
        self._exclude = Rules.read(root / EXCLUDE_FILE)

    def ignores(self, path: PurePath, is_folder: bool) -> bool:
        """Whether `path` (relative to the root) or a folder that it is in is ignored."""
        parents = list(path.parents)[-2::-1]  # from the top, without the root itself
        return any(self.names(parent, True) for parent in parents) or self.names(path, is_folder)

    def names(self, path: PurePath, is_folder: bool) -> bool:
        """Whether a rule is for `path` itself: for those who come down from the root and don't
        enter ignored folders. The deepest file that says anything decides."""
        if path.name == ".git":
            return True
        for folder in path.parents:
            found = self._of(folder).verdict(path.relative_to(folder), is_folder)
            if found is not None:
                return found
        return bool(self._exclude.verdict(path, is_folder))

    def _of(self, folder: PurePath) -> "Rules":
        if folder not in self._rules:
            self._rules[folder] = Rules.read(self._root / folder / IGNORE_FILE)
        return self._rules[folder]


class Rules:
    """One file's. pathspec translates them; its own verdict on a path also heeds rules for the
    folders above, by priorities that are not git's (`!*` before `a` lets `a` in)."""

    def __init__(self, lines: Iterable[str]) -> None:
        patterns = (_pattern(line) for line in lines)
        self._patterns = [each for each in patterns if each is not None][::-1]

    @classmethod
    def read(cls, path: Path) -> "Rules":
        try:
            return cls(path.read_text(encoding="utf-8", errors="replace").splitlines())
        except OSError:  # there is none
            return cls(())

    def verdict(self, path: PurePath, is_folder: bool) -> bool | None:
        """Whether `path` itself is ignored by the last rule that is for it; None without one."""
        name = path.as_posix()
        found = (each for each in self._patterns if _is_for(each, name, is_folder))
        return next((each.include for each in found), None)


def _pattern(line: str) -> GitIgnoreSpecPattern | None:
    """None for comments, and for what is no pattern: git passes over it."""
    try:
        pattern = GitIgnoreSpecPattern(line)
    except ValueError:
        return None
    return pattern if pattern.include is not None else None


def _is_for(pattern: GitIgnoreSpecPattern, name: str, is_folder: bool) -> bool:
    """For `name` itself rather than for a folder above it."""
    line = str(pattern.pattern).rstrip()
    if not is_folder and line.endswith("/"):
        return False
    if "/" not in line.rstrip("/"):  # for the last part alone; pathspec takes `*/` for any slash
        name = name.rpartition("/")[2]
    here = pattern.match_file(name)
    if here is not None and here.match.groupdict().get(BELOW) is None:
        return True
    inside = pattern.match_file(name + "/") if is_folder else None
    if inside is None or inside.match.groupdict().get(BELOW) is None:
        return False
    return inside.match.end(BELOW) == len(name) + 1
