"""The readable twin of a project's index: outlines in a dict, nothing clever."""

from collections import Counter
from collections.abc import Collection, Iterable
from posixpath import dirname

from keyturn.daemon.project.outline import Definition, Outline


class MemoryIndex:
    def __init__(self, outlines: Iterable[Outline] = ()) -> None:
        self.outlines = {outline.path: outline for outline in outlines}

    def named(self, names: Collection[str], languages: Collection[str]) -> list[Definition]:
        return [d for d in self._all() if d.name in names and d.language in languages]

    def inside(self, path: str, names: Collection[str] | None = None) -> list[Definition]:
        outline = self.outlines.get(path)
        inside = outline.definitions if outline else ()
        return [d for d in inside if names is None or d.name in names]

    def outline_of(self, path: str) -> Outline | None:
        return self.outlines.get(path)

    def similar(
        self, words: Collection[str], languages: Collection[str], most: int, but: str
    ) -> list[Definition]:
        """By how many of the words they have, each counted once."""
        shared = Counter(
            {
                d: sum(word in d.source for word in words)
                for d in self._all()
                if d.language in languages and d.path != but
            }
        )
        return [definition for definition, count in shared.most_common(most) if count]

    def _all(self) -> list[Definition]:
        return [d for outline in self.outlines.values() for d in outline.definitions]


class NamedFiles:
    """The names of files that need not exist."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = sorted(paths)

    def has(self, path: str) -> bool:
        return path in self.paths

    def ending(self, tail: str) -> list[str]:
        return [path for path in self.paths if f"/{path}".endswith(f"/{tail}")]

    def within(self, folder: str) -> list[str]:
        return [path for path in self.paths if dirname(path) == folder]
