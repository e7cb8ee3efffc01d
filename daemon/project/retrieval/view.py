"""The project as it is this moment: what the index says, and of open files what their texts say."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from posixpath import dirname
from typing import Protocol

from ..outline import Definition, FileImports, Outline
from ..passages import LINES, SHOWN, Excerpt, excerpt, passages
from .imports import Files

LARGE_FOLDER = 500  # files; of more, not all may be listed
MOST_CUT = 64  # open files whose passages are remembered
MOST_OPEN_CHARACTERS = 200_000  # of open files in which code that is alike is looked for


class Index(Protocol):
    """What was read of a project's files."""

    def named(self, names: Collection[str], languages: Collection[str]) -> Sequence[Definition]:
        """Everything of these names, wherever it is."""
        ...

    def inside(self, path: str, names: Collection[str]) -> Sequence[Definition]:
        """A file's definitions of these names, in their order."""
        ...

    def members(self, path: str, container: str) -> Sequence[Definition]:
        """What stands in one definition of a file, or at its top ("")."""
        ...

    def imports_of(self, path: str) -> FileImports | None: ...

    def alike(
        self,
        names: Collection[str],
        languages: Collection[str],
        most: int,
        but: str,
        calling: str,
    ) -> Sequence[Excerpt]:
        """Excerpts that share names with these, none of the file `but`; if `calling`, first those
        that have this name."""
        ...


class View:
    """An index with the open files' outlines laid over it: `own`, the path of the file that is
    asked about, has no definitions here. Remembers what it was asked: for one question only."""

    def __init__(self, index: Index, files: Files, opened: Mapping[str, Outline], own: str) -> None:
        self._index = index
        self._files = files
        self._opened = {path: outline for path, outline in opened.items() if path != own}
        self._own = own
        self._imports: dict[str, FileImports | None] = {}
        self._folders: dict[str, dict[str, None]] = {}

    # region Definitions
    def named(self, names: Collection[str], languages: Collection[str]) -> list[Definition]:
        found = [each for each in self._index.named(names, languages) if self._is_closed(each.path)]
        for outline in self._opened.values():
            if outline.language in languages:
                found += [each for each in outline.definitions if each.name in names]
        return _without_repeats(found)

    def inside(self, path: str, names: Collection[str]) -> list[Definition]:
        if path == self._own:
            return []
        if path in self._opened:
            found = [each for each in self._opened[path].definitions if each.name in names]
            return _without_repeats(found)
        return _without_repeats(self._index.inside(path, names))

    def members(self, path: str, container: str = "") -> list[Definition]:
        if path == self._own:
            return []
        if path in self._opened:
            definitions = self._opened[path].definitions
            return _without_repeats(d for d in definitions if d.container == container)
        return _without_repeats(self._index.members(path, container))

    def imports_of(self, path: str) -> FileImports | None:
        if path in self._opened:
            outline = self._opened[path]
            return FileImports(outline.language, outline.imports)
        if path not in self._imports:
            self._imports[path] = self._index.imports_of(path)
        return self._imports[path]

    def alike(
        self, names: Collection[str], languages: Collection[str], most: int, calling: str
    ) -> list[Excerpt]:
        """Of closed files what the index has; of open ones all that share a name."""
        if not names:
            return []
        found = [
            each
            for each in self._index.alike(names, languages, most, self._own, calling)
            if self._is_closed(each.path)
        ]
        wanted, room = set(names), MOST_OPEN_CHARACTERS
        for path, outline in reversed(self._opened.items()):  # the one used last first
            room -= len(outline.text)
            if outline.language in languages and room >= 0:
                found += [
                    each
                    for each in _excerpts(path, outline.language, outline.text)
                    if not wanted.isdisjoint(each.names)
                ]
        return found

    # endregion
    # region Files
    def has(self, path: str) -> bool:
        inside = self.within(dirname(path))
        return path in inside or (len(inside) >= LARGE_FOLDER and self._files.has(path))

    def ending(self, tail: str) -> list[str]:
        opened = (path for path in self._opened if f"/{path}".endswith(f"/{tail}"))
        return list(dict.fromkeys([*self._files.ending(tail), *opened]))

    def within(self, folder: str) -> Collection[str]:
        if folder not in self._folders:
            opened = (path for path in self._opened if dirname(path) == folder)
            self._folders[folder] = dict.fromkeys([*self._files.within(folder), *opened])
        return self._folders[folder]

    # endregion
    def _is_closed(self, path: str) -> bool:
        return path != self._own and path not in self._opened


def _without_repeats(definitions: Iterable[Definition]) -> list[Definition]:
    """Of a Python function that is declared several times the last one, which runs; of a method the
    first, for a property's setter says less. Elsewhere each is a way to call it."""
    kept: dict[tuple[str, str, str, int], Definition] = {}
    for each in definitions:
        repeats = each.language == "python"
        key = (each.path, each.container, each.name, -1 if repeats else each.line)
        if not each.container or key not in kept:
            kept[key] = each
    return list(kept.values())


@lru_cache(MOST_CUT)
def _excerpts(path: str, language: str, text: str) -> tuple[Excerpt, ...]:
    pieces = passages(text)
    return tuple(
        excerpt(path, language, at * LINES, pieces[at : at + SHOWN]) for at in range(len(pieces))
    )
