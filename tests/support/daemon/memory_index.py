"""The readable twin of a project's index: outlines in memory."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from posixpath import basename, dirname

from keyturn.daemon.project.outline import Definition, FileImports, Outline
from keyturn.daemon.project.passages import LINES, SHOWN, Excerpt, excerpt, passages


class MemoryIndex:
    """Both what is known of a project's files and their names."""

    def __init__(self, outlines: Iterable[Outline] = ()) -> None:
        self.outlines = {outline.path: outline for outline in outlines}
        self.files = NamedFiles(self.outlines)
        self._named: dict[str, list[Definition]] = defaultdict(list)
        for outline in self.outlines.values():
            for definition in outline.definitions:
                self._named[definition.name].append(definition)

    def named(self, names: Collection[str], languages: Collection[str]) -> list[Definition]:
        return [d for name in names for d in self._named[name] if d.language in languages]

    def inside(self, path: str, names: Collection[str]) -> list[Definition]:
        return [d for d in self._definitions(path) if d.name in names]

    def members(self, path: str, container: str = "") -> list[Definition]:
        return [d for d in self._definitions(path) if d.container == container]

    def _definitions(self, path: str) -> tuple[Definition, ...]:
        outline = self.outlines.get(path)
        return outline.definitions if outline else ()

    def imports_of(self, path: str) -> FileImports | None:
        outline = self.outlines.get(path)
        return FileImports(outline.language, outline.imports) if outline else None

    def alike(
        self,
        names: Collection[str],
        languages: Collection[str],
        most: int,
        but: str,
        calling: str = "",
    ) -> list[Excerpt]:
        """By the number of names that they share."""
        wanted = set(names)
        found = [
            each
            for path, outline in self.outlines.items()
            if path != but and outline.language in languages
            for each in _excerpts(outline)
            if wanted & each.names
        ]
        found.sort(key=lambda each: (calling not in each.names, -len(wanted & each.names)))
        return found[: 2 * most]


def _excerpts(outline: Outline) -> Iterator[Excerpt]:
    pieces = passages(outline.text)
    for at in range(len(pieces)):
        yield excerpt(outline.path, outline.language, at * LINES, pieces[at : at + SHOWN])


class NamedFiles:
    """The names of files that need not exist."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = dict.fromkeys(sorted(paths))
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_folder: dict[str, list[str]] = defaultdict(list)
        for path in self._paths:
            self._by_name[basename(path)].append(path)
            self._by_folder[dirname(path)].append(path)

    def has(self, path: str) -> bool:
        return path in self._paths

    def ending(self, tail: str) -> list[str]:
        return [p for p in self._by_name[basename(tail)] if f"/{p}".endswith(f"/{tail}")]

    def within(self, folder: str) -> list[str]:
        return self._by_folder[folder]
