"""Renames of real names in real files, as `rope` makes them: it knows what means the same."""

import ast
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random

from rope.base.project import Project
from rope.refactor.rename import Rename

from ....lsp.backend import TextEdit
from .case import Case
from .names import Named, names_in, word_places

FROM_A_USE = 0.3  # of the renames begin where a name is used, the others where it is declared
MOST_PLACES = 12  # of a name: a user renames more than that by other means
NEW = ("{}_value", "new_{}", "{}2", "the_{}", "{}_item", "my_{}")


def renames(name: str, text: str, count: int, draw: Random) -> Iterator[Case]:
    """As many of one file's names."""
    known = names_in(ast.parse(text))
    draw.shuffle(known)
    # rope warns of what it does itself
    with (
        tempfile.TemporaryDirectory(prefix="kt") as folder,
        warnings.catch_warnings(action="ignore"),
    ):
        (Path(folder) / "module.py").write_text(text, encoding="utf-8")
        project = Project(folder, ropefolder="")
        try:
            made = 0
            for each in known:
                if made == count:
                    break
                case = _rename(project, name, text, each, draw)
                if case is not None:
                    made += 1
                    yield case
        finally:
            project.close()


def _rename(project: Project, name: str, text: str, named: Named, draw: Random) -> Case | None:
    new = draw.choice(NEW).format(named.name)
    if named.name.startswith("_") or new in text:
        return None
    resource = project.get_resource("module.py")
    try:
        changes = Rename(project, resource, named.offset(text)).get_changes(new)
    except Exception:  # rope has many ways to give up
        return None
    contents = [getattr(each, "new_contents", None) for each in changes.changes]
    if len(contents) != 1 or not contents[0]:
        return None
    places = _places(text, contents[0], named.name, new)
    if not 2 <= len(places) <= MOST_PLACES:
        return None
    edits = [TextEdit(at, at + len(named.name), new) for at in places]
    first = 1 if draw.random() < FROM_A_USE else 0
    done = edits.pop(first)
    line = text.count("\n", 0, done.start) + 1
    return Case(f"rename {named.kind}", f"{name}:{line} {named.name}", text, (done,), tuple(edits))


def _places(text: str, renamed: str, old: str, new: str) -> list[int]:
    """Where in `text` the old name was replaced."""
    found: list[int] = []
    grown = 0
    for at in word_places(text, old):
        if renamed.startswith(new, at + grown):
            found.append(at)
            grown += len(new) - len(old)
    made, end = "", 0
    for at in found:
        made, end = made + text[end:at] + new, at + len(old)
    return found if made + text[end:] == renamed else []
