"""The readable twin of a project's index: outlines in memory."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from posixpath import basename, dirname

from keyturn.daemon.project.outline import Definition, FileImports, Outline


class MemoryIndex:
    """Both what is known of a project's files and their names."""

    def __init__(self, outlines: Iterable[Outline] = ()) -> None:
        self.outlines = {outline.path: outline for outline in outlines}
        self.files = NamedFiles(self.outlines)
        self._named: dict[str, list[Definition]] = defaultdict(list)
        self._with_word: dict[str, list[Definition]] = defaultdict(list)
        for outline in self.outlines.values():
            for definition in outline.definitions:
                self._named[definition.name].append(definition)
                for word in set(re.findall(r"\w+", definition.source)):
                    self._with_word[word].append(definition)

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

    def similar(
        self, words: Collection[str], languages: Collection[str], most: int, but: str
    ) -> list[Definition]:
        """By the words that they have, rare ones counting more."""
        shared: Counter[Definition] = Counter()
        for word in words:
            found = self._with_word[word]
            for definition in found:
                if definition.language in languages and definition.path != but:
                    shared[definition] += 1_000 // len(found)
        return [definition for definition, _ in shared.most_common(most)]


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
