"""What was renamed in one file, where other files import it."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from posixpath import dirname

from ..project.outline import Import
from ..project.retrieval.imports import resolve
from .meaning import is_seen
from .proposal import Proposal
from .syntax.scopes import Role, Use, binding, is_imported, is_of_another_scope, uses
from .syntax.source import Source

# Languages in which an import declares a name, from which the other places follow.
IMPORTING = frozenset(("javascript", "javascriptreact", "python", "typescript", "typescriptreact"))


@dataclass(frozen=True, slots=True)
class Renamed:
    """What the file at `path` declares for all to see, and was called `old`, is called `new`."""

    path: str
    old: str
    new: str

    @property
    def why(self) -> str:
        return f"{self.old} is now {self.new} in {self.path.rpartition('/')[2]}"

    def proposals(
        self, source: Source, path: str, others: frozenset[str] = frozenset()
    ) -> Iterator[Proposal]:
        """In the file at `path`: where it is imported, whose own uses follow from that, or named
        behind its module. Nothing where the new name means something, or where nobody can say which
        import is meant. `others` are the files that are known beside it. Raises `TooLong`."""
        if source.language not in IMPORTING or any(u.declares for u in uses(source, self.new)):
            return
        every = uses(source, self.old)
        former = [use for use in every if not use.declares or is_imported(use)]
        imports = [use for use in every if use.declares and is_imported(use)]
        if not former or len(imports) > 1 or any(is_of_another_scope(use) for use in every):
            return
        for imported in self._imports(source, path, others):
            if imported.names:
                yield from self._imported(source, imported, former)
                continue
            for use in former:
                if use.role is Role.MEMBER and _is_behind(source, use, imported):
                    yield self._proposal(use)

    def _imports(self, source: Source, path: str, others: frozenset[str]) -> Iterator[Import]:
        """Those that mean this file."""
        files = Known(others | {self.path})
        for each in source.imports():
            if source.language != "python" and not each.module.startswith("."):
                continue  # what is installed has such names
            if resolve(each, path, source.language, files)[:1] == [self.path]:
                yield each

    def _imported(
        self, source: Source, imported: Import, former: Sequence[Use]
    ) -> Iterator[Proposal]:
        if any(there == self.old for there, _ in imported.names):
            for use in former:
                line = source.text.count("\n", 0, use.start)
                if line >= imported.line and _is_name_there(use):
                    yield self._proposal(use)
                    return

    def _proposal(self, use: Use) -> Proposal:
        return Proposal(use.place.start, use.place.stop, self.old, self.new, self.why)


@dataclass(frozen=True, slots=True)
class Known:
    """`retrieval.imports.Files` where there is nothing else."""

    paths: frozenset[str]

    def has(self, path: str) -> bool:
        return path in self.paths

    def ending(self, tail: str) -> Collection[str]:
        return [path for path in self.paths if f"/{path}".endswith(f"/{tail}")]

    def within(self, folder: str) -> Collection[str]:
        return [path for path in self.paths if dirname(path) == folder]


def _is_name_there(use: Use) -> bool:
    """Whether an import names what it takes with it, and not the module or a name for here."""
    fields = [step.field for step in use.place.steps[-3:]]
    return is_imported(use) and "module_name" not in fields and fields[-1] != "alias"


def _is_behind(source: Source, use: Use, imported: Import) -> bool:
    """Whether a member stands behind the name of a module as it is imported, and not of something
    nearer by that name."""
    name = imported.alias or imported.module
    before = source.text[: use.start].rstrip()
    if not before.endswith(f"{name}.") or name.startswith("."):
        return False
    start = len(before) - len(name) - 1
    if re.search(r"[\w.]\Z", source.text[:start]):
        return False
    first = name.partition(".")[0]
    place = source.name_at(start, start + len(first))
    if place is None:
        return False
    declared = [each for each in uses(source, first) if is_seen(each)]
    home = binding(source.language, place, declared)
    return home is not None and is_imported(home)
