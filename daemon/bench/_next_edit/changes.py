"""Changes of a kind that are made in several places, by the syntax trees of real files."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from random import Random

from ....lsp.backend import TextEdit
from .case import Case
from .names import offset_of

Function = ast.FunctionDef | ast.AsyncFunctionDef
MOST_PLACES = 12
TYPES = {"str": "bytes", "int": "float", "float": "int", "bool": "int", "Any": "object"}
MORE = ("None", "0", "True", "timeout", '""')


class Changes:
    """Those that one file offers."""

    def __init__(self, name: str, text: str, draw: Random) -> None:
        self._name = name
        self._text = text
        self._draw = draw
        self._tree = ast.parse(text)
        self._calls: dict[str, list[ast.Call]] = defaultdict(list)
        self._functions: dict[str, list[Function]] = defaultdict(list)
        self._references: dict[str, list[ast.AST]] = defaultdict(list)
        self._declared: set[str] = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                self._calls[_last(node.func)].append(node)
            elif isinstance(node, Function):
                self._functions[node.name].append(node)
            if isinstance(node, Function | ast.ClassDef):
                self._declared.add(node.name)
            elif isinstance(node, ast.alias):
                self._declared.add((node.asname or node.name).split(".")[0])
            elif isinstance(node, ast.Name | ast.Attribute):
                self._references[_last(node)].append(node)
                if not isinstance(node.ctx, ast.Load):
                    self._declared.add(_last(node))
            elif isinstance(node, ast.arg):
                self._declared.add(node.arg)

    def __iter__(self) -> Iterator[Case]:
        for made in (self.parameters, self.types, self.imports, self.called, self.keywords):
            yield from made()

    def parameters(self) -> Iterator[Case]:
        """A function with another parameter, without one, with two in another order."""
        for name, functions in self._functions.items():
            calls = [call for call in self._calls[name] if self._is_plain(call)]
            if len(functions) != 1 or name.startswith("__"):
                continue
            if not 2 <= len(calls) == len(self._calls[name]) <= MOST_PLACES:
                continue
            row = functions[0].args
            names = [each for each in row.args if each.arg not in ("self", "cls")]
            strange = row.defaults or row.vararg or row.kwarg or row.kwonlyargs or row.posonlyargs
            if strange or any(len(call.args) != len(names) for call in calls) or not names:
                continue
            yield from self._of_function(name, names, calls)

    def _of_function(
        self, name: str, names: list[ast.arg], calls: list[ast.Call]
    ) -> Iterator[Case]:
        last = self._end(names[-1])
        more = self._draw.choice(MORE)
        head = TextEdit(last, last, f", {'extra' if more != 'timeout' else 'timeout'}")
        ends = [self._end(call.args[-1]) for call in calls]
        added = [TextEdit(end, end, f", {more}") for end in ends]
        yield self._case("added parameter", name, [head, added[0]], added[1:])
        if len(names) >= 2:
            spans = [(self._end(a), self._end(b)) for call in calls for a, b in [call.args[-2:]]]
            gone = [TextEdit(start, end, "") for start, end in spans]
            head = TextEdit(self._end(names[-2]), last, "")
            yield self._case("removed parameter", name, [head], gone)
            swap = [self._swapped(*call.args[-2:]) for call in calls]
            yield self._case("changed signature", name, [self._swapped(*names[-2:])], swap)

    def types(self) -> Iterator[Case]:
        """A parameter that several functions have, with another type."""
        found: dict[tuple[str, str], list[ast.expr]] = defaultdict(list)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.arg) and node.annotation is not None:
                if "None" in ast.unparse(node.annotation):
                    continue
                found[node.arg, ast.unparse(node.annotation)].append(node.annotation)
        for (name, type_), nodes in found.items():
            if 3 <= len(nodes) <= MOST_PLACES and all(n.lineno == n.end_lineno for n in nodes):
                new = TYPES.get(type_, f"{type_} | None")
                edits = [self._replaced(node, new) for node in nodes]
                yield self._case("type", f"{name}: {type_}", edits[:2], edits[2:])

    def imports(self) -> Iterator[Case]:
        """Something imported by another name."""
        for node in self._tree.body:
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            for alias in node.names:
                name = alias.asname or alias.name
                uses = [n for n in ast.walk(self._tree) if isinstance(n, ast.Name) and n.id == name]
                if "." in name or not 1 <= len(uses) <= MOST_PLACES:
                    continue
                if any(isinstance(use.ctx, ast.Store) for use in uses):
                    continue
                end = self._end(alias)
                new = f"_{name}" if isinstance(node, ast.Import) else f"{name}_v2"
                said = f" as {new}" if isinstance(node, ast.Import) and not alias.asname else new
                start = end if said.startswith(" as") else end - len(name)
                edits = [self._replaced(use, new) for use in uses]
                if new not in self._text:
                    yield self._case("import", name, [TextEdit(start, end, said)], edits)

    def called(self) -> Iterator[Case]:
        """Something else called, twice by now."""
        for name, calls in self._calls.items():
            functions = [call.func for call in calls]
            texts = {ast.unparse(each) for each in functions}
            if name in self._declared or len(self._references[name]) != len(calls):
                continue  # its declaration would have to change, too
            if len(texts) == 1 and 3 <= len(functions) <= MOST_PLACES and name:
                new = ast.unparse(functions[0]) + "_checked"
                edits = [self._replaced(each, new) for each in functions]
                yield self._case("called", name, edits[:2], edits[2:])

    def keywords(self) -> Iterator[Case]:
        """A keyword argument with another value, twice by now."""
        found: dict[tuple[str, str, str], list[ast.expr]] = defaultdict(list)
        for name, calls in self._calls.items():
            for call in calls:
                for keyword in call.keywords:
                    if isinstance(keyword.value, ast.Constant) and keyword.arg:
                        found[name, keyword.arg, repr(keyword.value.value)].append(keyword.value)
        for (name, keyword, value), nodes in found.items():
            if 3 <= len(nodes) <= MOST_PLACES:
                new = {"True": "False", "False": "True", "None": "0"}.get(value, "None")
                edits = [self._replaced(node, new) for node in nodes]
                yield self._case("keyword", f"{name} {keyword}={value}", edits[:2], edits[2:])

    def _case(self, kind: str, what: str, done: list[TextEdit], due: list[TextEdit]) -> Case:
        line = self._text.count("\n", 0, done[0].start) + 1
        return Case(kind, f"{self._name}:{line} {what}", self._text, tuple(done), tuple(due))

    def _is_plain(self, call: ast.Call) -> bool:
        """On one line, with nothing but arguments by place."""
        is_starred = any(isinstance(each, ast.Starred) for each in call.args)
        return not call.keywords and not is_starred and call.lineno == call.end_lineno

    def _swapped(self, one: ast.expr | ast.arg, other: ast.expr | ast.arg) -> TextEdit:
        a, b = self._span(one), self._span(other)
        text = self._text
        between = text[a[1] : b[0]]
        return TextEdit(a[0], b[1], text[b[0] : b[1]] + between + text[a[0] : a[1]])

    def _replaced(self, node: ast.expr, new: str) -> TextEdit:
        return TextEdit(*self._span(node), new)

    def _span(self, node: ast.expr | ast.arg | ast.alias) -> tuple[int, int]:
        return offset_of(self._text, node.lineno, node.col_offset), self._end(node)

    def _end(self, node: ast.expr | ast.arg | ast.alias) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return offset_of(self._text, node.end_lineno, node.end_col_offset)


def _last(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""
