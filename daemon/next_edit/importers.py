"""What was renamed in one file, where other files import it."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from posixpath import dirname

from ..project.outline import Import
from ..project.retrieval.imports import resolve
from .proposal import Proposal
from .syntax.scopes import Role, Use, is_imported, uses
from .syntax.source import Source


@dataclass(frozen=True, slots=True)
class Renamed:
    """What the file at `path` declares for all to see, and was called `old`, is called `new`."""

    path: str
    old: str
    new: str

    @property
    def why(self) -> str:
        return f"{self.old} is now {self.new} in {self.path.rpartition('/')[2]}"

    def proposals(self, source: Source, path: str) -> Iterator[Proposal]:
        """In another file: where it is imported, whose own uses follow from that, or named behind
        its module. Raises `TooLong`."""
        former = [use for use in uses(source, self.old) if not use.declares or is_imported(use)]
        if not former:
            return
        modules: set[str] = set()
        for imported in self._imports(source, path):
            if imported.names:
                yield from self._imported(source, imported, former)
            else:
                modules |= {imported.alias, _last(imported.module)} - {""}
        for use in former:
            if use.role is Role.MEMBER and use.receiver in modules:
                yield self._proposal(use)

    def _imports(self, source: Source, path: str) -> Iterator[Import]:
        """Those that mean this file."""
        files = OneFile(self.path)
        for each in source.imports():
            if files.path in resolve(each, path, source.language, files):
                yield each

    def _imported(
        self, source: Source, imported: Import, former: Sequence[Use]
    ) -> Iterator[Proposal]:
        if any(there == self.old for there, _ in imported.names):
            for use in former:
                line = source.text.count("\n", 0, use.start)
                if is_imported(use) and line >= imported.line:
                    yield self._proposal(use)
                    return

    def _proposal(self, use: Use) -> Proposal:
        return Proposal(use.place.start, use.place.stop, self.old, self.new, self.why)


@dataclass(frozen=True, slots=True)
class OneFile:
    """`retrieval.imports.Files` where there is nothing else."""

    path: str

    def has(self, path: str) -> bool:
        return path == self.path

    def ending(self, tail: str) -> Collection[str]:
        return (self.path,) if f"/{self.path}".endswith(f"/{tail}") else ()

    def within(self, folder: str) -> Collection[str]:
        return (self.path,) if dirname(self.path) == folder else ()


def _last(module: str) -> str:
    """The last part of a module's name, by which it is known where it has no other."""
    return module.replace("::", ".").replace("/", ".").rpartition(".")[2]
