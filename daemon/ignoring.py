"""What git ignores in a folder, by the `.gitignore` files in it."""

from pathlib import Path, PurePath

from pathspec import GitIgnoreSpec

IGNORE_FILE = ".gitignore"
EXCLUDE_FILE = Path(".git", "info", "exclude")


class GitIgnore:
    """The rules of one tree. Each file is read when its folder is first looked at; make a new
    one when any of them has changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._specs: dict[PurePath, GitIgnoreSpec] = {}
        self._exclude = _read(root / EXCLUDE_FILE)

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
            found = _included(self._spec(folder), path.relative_to(folder), is_folder)
            if found is not None:
                return found
        return bool(_included(self._exclude, path, is_folder))

    def _spec(self, folder: PurePath) -> GitIgnoreSpec:
        if folder not in self._specs:
            self._specs[folder] = _read(self._root / folder / IGNORE_FILE)
        return self._specs[folder]


def _included(spec: GitIgnoreSpec, path: PurePath, is_folder: bool) -> bool | None:
    return spec.check_file(path.as_posix() + "/" * is_folder).include


def _read(path: Path) -> GitIgnoreSpec:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # there is none
        lines = []
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # git passes over what is no pattern
        return GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
