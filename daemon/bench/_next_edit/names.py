"""Names that a Python file declares, by its syntax tree."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """`kind`: variable, parameter, function, class, method or attribute; declared at a line from 1
    and a column in bytes from 0, or a little behind that."""

    kind: str
    name: str
    line: int
    column: int

    def offset(self, text: str) -> int:
        """Where the name is."""
        at = offset_of(text, self.line, self.column)
        found = re.compile(rf"\b{re.escape(self.name)}\b").search(text, at)
        return found.start() if found else at


def offset_of(text: str, line: int, column: int) -> int:
    """A place as `ast` gives it, in characters."""
    lines = text.splitlines(keepends=True)
    start = sum(map(len, lines[: line - 1]))
    return start + len(lines[line - 1].encode()[:column].decode(errors="ignore"))


def word_places(text: str, word: str) -> list[int]:
    return [found.start() for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text)]


def names_in(tree: ast.Module) -> list[Named]:
    """Each once."""
    found = {(each.kind, each.name, each.line): each for each in _names(tree, "")}
    return list(found.values())


def _names(node: ast.AST, around: str) -> Iterator[Named]:
    for child in ast.iter_child_nodes(node):
        inner = around
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            kind = "method" if around == "class" else "function"
            if not child.name.startswith("__"):
                yield Named(kind, child.name, child.lineno, child.col_offset)
            for each in (*child.args.args, *child.args.kwonlyargs):
                if each.arg not in ("self", "cls"):
                    yield Named("parameter", each.arg, each.lineno, each.col_offset)
            inner = "function"
        elif isinstance(child, ast.ClassDef):
            yield Named("class", child.name, child.lineno, child.col_offset)
            inner = "class"
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            yield Named("variable", child.id, child.lineno, child.col_offset)
        elif isinstance(child, ast.Attribute) and isinstance(child.ctx, ast.Store):
            own = isinstance(child.value, ast.Name) and child.value.id == "self"
            if own:
                yield Named("attribute", child.attr, child.lineno, child.col_offset + 5)
        yield from _names(child, inner)
