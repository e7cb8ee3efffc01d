"""Where the names that a file imports come from: definitions, through re-exports, and modules."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from posixpath import basename, dirname

from ..outline import Definition, FileImports, Import, Outline
from .imports import resolve
from .view import View

MOST_IMPORTS = 120  # statements of a file that are followed
MOST_DEEP = 4  # files that a re-exported name is followed through
FOLDER_MODULES = ("__init__", "index", "mod", "lib")


@dataclass(frozen=True, slots=True)
class Origins:
    """What the names in a file stand for, by its imports."""

    names: dict[str, list[Definition]] = field(default_factory=dict)
    modules: dict[str, list[str]] = field(default_factory=dict)  # names of modules, their files
    opened: list[str] = field(default_factory=list)  # files whose names are all known here


def origins(outline: Outline, view: View) -> Origins:
    """Those of what a file imports from its own project."""
    found = Origins()
    followed = _Followed(view)
    for imported in outline.imports[:MOST_IMPORTS]:
        paths = resolve(imported, outline.path, outline.language, view)
        if not paths:
            continue
        for there, here in imported.names:
            if definitions := followed.definitions(there, here, paths):
                found.names[here] = definitions
            elif modules := [path for path in paths if _module_name(path) == there]:
                found.modules[here] = modules
        if imported.alias:
            found.modules[imported.alias] = paths
        elif not imported.names:
            found.opened.extend(paths)
            found.modules.update(_qualified(imported, paths))
    return found


def _qualified(imported: Import, paths: list[str]) -> Iterable[tuple[str, list[str]]]:
    """A module that is called by its whole name, or by the last part of it."""
    whole = imported.module.replace("::", ".").replace("/", ".").strip(".")
    return [(name, paths) for name in {whole, whole.rpartition(".")[2]} if name]


def _module_name(path: str) -> str:
    stem = PurePosixPath(path).name.partition(".")[0]
    return basename(dirname(path)) if stem in FOLDER_MODULES else stem


@dataclass(frozen=True, slots=True)
class _Followed:
    view: View

    def definitions(self, there: str, here: str, paths: list[str]) -> list[Definition]:
        """What `there` is in the first of the files that has it, or imports it to hand it on."""
        return next(self._found(there, here, paths, MOST_DEEP, set()), [])

    def _found(
        self, there: str, here: str, paths: list[str], deep: int, seen: set[tuple[str, str]]
    ) -> Iterator[list[Definition]]:
        wanted = {there, here} if there == "default" else {there}
        fresh = [path for path in paths if (path, there) not in seen]
        seen |= {(path, there) for path in fresh}
        for path in fresh:
            inside = [each for each in self.view.inside(path, wanted) if not each.container]
            if inside:
                yield inside
        if not deep:
            return
        for path in fresh:
            language, imports = self.view.imports_of(path) or FileImports("", ())
            for imported in imports[:MOST_IMPORTS]:
                for name in _handed_on(imported, there):
                    further = resolve(imported, path, language, self.view)
                    yield from self._found(name, name, further, deep - 1, seen)


def _handed_on(imported: Import, name: str) -> list[str]:
    """What a statement that makes `name` known in its file calls it where it comes from."""
    if not imported.names:
        return [] if imported.alias else [name]
    return [there for there, here in imported.names if here == name]
