"""Edits from which nothing follows: what is typed, and changes of one place alone."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from random import Random
from typing import Any

from ....lsp.backend import TextEdit
from .case import Case
from .names import offset_of, word_places

WORDS = ("value", "result", "other", "item", "data", "left", "count")
SIGNS = {"<": "<=", ">": ">=", "==": "!=", "+": "-", " and ": " or ", " is ": " is not "}


class Noise:
    """What one file offers."""

    def __init__(self, name: str, text: str, draw: Random) -> None:
        self._name = name
        self._text = text
        self._draw = draw
        self._tree = ast.parse(text)
        self._lines = text.splitlines(keepends=True)

    def __iter__(self) -> Iterator[Case]:
        for made in (
            self.typed_line,
            self.deleted_line,
            self.number,
            self.string,
            self.sign,
            self.another_name,
            self.finished_rename,
            self.comment,
            self.argument,
        ):
            if (case := made()) is not None:
                yield case

    def typed_line(self) -> Case | None:
        """A line that was there, typed again key by key."""
        node = self._one(ast.Assign, ast.Expr, ast.Return, ast.AugAssign)
        if node is None or node.lineno != node.end_lineno:
            return None
        start = offset_of(self._text, node.lineno, 0)
        line = self._lines[node.lineno - 1]
        without = self._text[:start] + self._text[start + len(line) :]
        keys = [TextEdit(start, start, line[:-1] + "\n")]
        return Case("typed line", self._at(node), without, tuple(keys))

    def deleted_line(self) -> Case | None:
        node = self._one(ast.Assign, ast.Expr, ast.AugAssign)
        if node is None or node.lineno != node.end_lineno:
            return None
        start = offset_of(self._text, node.lineno, 0)
        edit = TextEdit(start, start + len(self._lines[node.lineno - 1]), "")
        return Case("deleted line", self._at(node), self._text, (edit,))

    def number(self) -> Case | None:
        node = self._constant(int)
        return node and self._edited("number", node, str(self._draw.randrange(100, 1_000)))

    def string(self) -> Case | None:
        node = self._constant(str)
        if node is None or node.lineno != node.end_lineno:
            return None
        return self._edited("string", node, '"another one"')

    def sign(self) -> Case | None:
        node = self._one(ast.Compare, ast.BoolOp, ast.BinOp)
        if node is None or node.lineno != node.end_lineno:
            return None
        start, end = self._span(node)
        part = self._text[start:end]
        for sign, other in SIGNS.items():
            if re.fullmatch(r"[\w.]+ ?", part.split(sign)[0]) and sign in part:
                at = start + part.index(sign)
                edit = TextEdit(at, at + len(sign), other)
                return Case("sign", self._at(node), self._text, (edit,))
        return None

    def another_name(self) -> Case | None:
        """One use of a variable that is another variable now."""
        function = self._one(ast.FunctionDef)
        if function is None:
            return None
        names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
        used = [n for n in names if isinstance(n.ctx, ast.Load)]
        stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
        stored |= {each.arg for each in function.args.args}
        pairs = [(n, other) for n in used if n.id in stored for other in sorted(stored - {n.id})]
        if not pairs:
            return None
        node, other = self._draw.choice(pairs)
        return self._edited("another name", node, other)

    def finished_rename(self) -> Case | None:
        """All of a function's places of a variable renamed, which others have, too."""
        functions = [n for n in ast.walk(self._tree) if isinstance(n, ast.FunctionDef)]
        self._draw.shuffle(functions)
        for function in functions:
            inner = [n for n in ast.walk(function) if n is not function]
            if any(isinstance(n, ast.FunctionDef | ast.Lambda | ast.ListComp) for n in inner):
                continue
            names = [n for n in inner if isinstance(n, ast.Name)]
            stored = {n.id for n in names if isinstance(n.ctx, ast.Store)}
            stored -= {n for each in inner if isinstance(each, ast.Global) for n in each.names}
            for name in sorted(stored):
                mine = [n for n in names if n.id == name]
                all_places = len(word_places(self._text, name))
                in_other = all_places > len(
                    word_places(ast.get_source_segment(self._text, function) or "", name)
                )
                whole = len(mine) == len(
                    word_places(ast.get_source_segment(self._text, function) or "", name)
                )
                new = f"{name}_found"
                if in_other and whole and 2 <= len(mine) <= 8 and new not in self._text:
                    edits = sorted(
                        (TextEdit(*self._span(n), new) for n in mine), key=lambda e: e.start
                    )
                    return Case("finished rename", self._at(mine[0]), self._text, tuple(edits))
        return None

    def comment(self) -> Case | None:
        lines = io.StringIO(self._text).readline
        comments = [t for t in tokenize.generate_tokens(lines) if t.type == tokenize.COMMENT]
        found = [(t, m) for t in comments if (m := re.search(r"\b\w{4,}\b", t.string))]
        if not found:
            return None
        token, match = self._draw.choice(found)
        line, column = token.start
        start = sum(map(len, self._lines[: line - 1])) + column + match.start()
        edit = TextEdit(start, start + len(match.group()), self._draw.choice(WORDS))
        return Case("comment", f"{self._name}:{line}", self._text, (edit,))

    def argument(self) -> Case | None:
        """One more keyword for one call."""
        calls = [n for n in ast.walk(self._tree) if isinstance(n, ast.Call) and n.args]
        calls = [n for n in calls if n.lineno == n.end_lineno and not n.keywords]
        if not calls:
            return None
        node = self._draw.choice(calls)
        _, end = self._span(node)
        edit = TextEdit(end - 1, end - 1, ", strict=True")
        return Case("argument", self._at(node), self._text, (edit,))

    def _one(self, *kinds: type[Any]) -> Any:
        found = [node for node in ast.walk(self._tree) if isinstance(node, kinds)]
        return self._draw.choice(found) if found else None

    def _constant(self, kind: type) -> ast.Constant | None:
        nodes = (n for n in ast.walk(self._tree) if isinstance(n, ast.Constant))
        found = [n for n in nodes if type(n.value) is kind]
        return self._draw.choice(found) if found else None

    def _edited(self, kind: str, node: ast.expr, new: str) -> Case | None:
        edit = TextEdit(*self._span(node), new)
        return Case(kind, self._at(node), self._text, (edit,))

    def _span(self, node: ast.expr) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = offset_of(self._text, node.lineno, node.col_offset)
        return start, offset_of(self._text, node.end_lineno, node.end_col_offset)

    def _at(self, node: ast.expr | ast.stmt) -> str:
        return f"{self._name}:{node.lineno}"
