"""The files of a project, as a walk over its folders finds them."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import takewhile
from posixpath import basename, dirname


class Listing:
    """Paths relative to the project's root, with slashes."""

    def __init__(self) -> None:
        self._paths: set[str] = set()
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_folder: dict[str, list[str]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, path: str) -> None:
        self._paths.add(path)
        self._by_name[basename(path)].append(path)
        self._by_folder[dirname(path)].append(path)

    def has(self, path: str) -> bool:
        return path in self._paths

    def ending(self, tail: str) -> list[str]:
        """The paths that are `tail`, or end with it behind a slash."""
        found = self._by_name.get(basename(tail), [])
        return [path for path in found if f"/{path}".endswith(f"/{tail}")]

    def within(self, folder: str) -> list[str]:
        """The paths of the files right in a folder; the root's is empty."""
        return self._by_folder.get(folder, [])

    def nearest_to(self, path: str) -> Iterator[str]:
        """All of them, by the number of folders to go through."""
        here = dirname(path).split("/")
        for folder in sorted(self._by_folder, key=lambda each: _steps(here, each.split("/"))):
            yield from self._by_folder[folder]


def _steps(here: list[str], there: list[str]) -> int:
    shared = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, there, strict=False))
    )
    return len(here) + len(there) - 2 * shared
