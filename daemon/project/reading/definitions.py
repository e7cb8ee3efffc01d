"""The definitions of one file, found by a walk from the top of its syntax tree."""

from dataclasses import dataclass
from itertools import zip_longest

from tree_sitter import Node

from ..outline import Definition
from .comments import first_line
from .parts import (
    MOST_DEPTH,
    MOST_NAME,
    behind_decorators,
    body_start,
    docstring_of,
    first_name,
    kind_of,
    names_of,
)
from .shapes import COMMENTS, CONTAINERS, SHAPES
from .syntax import Stopwatch, Text

MOST_DEFINITIONS = 2_000  # of a file
MOST_SIGNATURE = 600  # characters
MOST_LINES = 40  # of a source
MOST_SOURCE = 4_000  # characters of it


@dataclass(frozen=True, slots=True)
class Place:
    """Where the walk is. `around`: the statement around a single definition."""

    container: str = ""
    member: bool = False  # of a class or the like
    around: "Statement | None" = None
    above: tuple[Node, ...] = ()  # comments before the first node
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """A node, the comments and attributes directly before it, and the node behind it."""

    node: Node
    above: tuple[Node, ...]
    behind: Node | None


class Definitions:
    """Those of one file, whose text is `data`."""

    def __init__(self, path: str, language: str, data: bytes, watch: Stopwatch) -> None:
        self._path = path
        self._language = language
        self._text = Text(data)
        self._lines = data.split(b"\n")
        self._watch = watch
        self._shape = SHAPES[language]
        self._found: list[Definition] = []

    def below(self, root: Node) -> tuple[Definition, ...]:
        """In the order of the file. Raises `TooLong`."""
        self._walk(root, Place())
        return tuple(self._found)

    def _walk(self, node: Node, place: Place) -> None:
        above = list(place.above)
        children = node.named_children
        for child, behind in zip_longest(children, children[1:]):
            if len(self._found) >= MOST_DEFINITIONS or place.depth > MOST_DEPTH:
                return
            if child.type in COMMENTS or child.type == "attribute_item":
                above.append(child)
                continue
            self._watch.check()
            if kind := self._shape.definitions.get(child.type):
                statement = place.around or Statement(child, tuple(above), behind)
                self._define(child, kind, place, statement)
            elif child.type in self._shape.inside:
                self._walk(child, self._within(Statement(child, tuple(above), behind), place))
            above = []

    def _within(self, statement: Statement, place: Place) -> Place:
        """The place inside a node that is no definition itself."""
        node, container, member = statement.node, place.container, place.member
        if node.type == "impl_item":
            container, member = first_name(node.child_by_field_name("type"), self._text), True
        around = (place.around or statement) if self._is_wrapper(node) else None
        return Place(container, member, around, statement.above, place.depth + 1)

    def _is_wrapper(self, node: Node) -> bool:
        """Whether it is a statement around one definition, or on one line: its text is theirs."""
        if node.type not in self._shape.around:
            return False
        within = (*self._shape.definitions, *self._shape.around)
        held = sum(child.type in within for child in node.named_children)
        return held == 1 or node.start_point.row == node.end_point.row

    def _define(self, node: Node, kind: str, place: Place, statement: Statement) -> None:
        """What a node defines, and what is defined in it."""
        inner = Place(place.container, place.member, depth=place.depth + 1)
        names = list(names_of(node, self._text))
        if not names and statement.node.type == "export_statement":
            names = [("default", "")]  # as `export default class {}`
        for name, owner in names:
            definition = self._definition(node, name, owner, kind, place, statement)
            if definition is None:
                continue
            self._found.append(definition)
            if definition.kind in CONTAINERS:
                inner = Place(name, definition.kind != "module", depth=place.depth + 1)
        if kind != "function":
            self._walk(node, inner)

    def _definition(
        self, node: Node, name: str, owner: str, kind: str, place: Place, statement: Statement
    ) -> Definition | None:
        kind = kind_of(node, self._text, kind, place.member or bool(owner))
        if not kind or not name or len(name) > MOST_NAME:
            return None
        first = statement.node
        attributes = [each for each in statement.above if each.type == "attribute_item"]
        line = (attributes[0] if attributes else first).start_point.row
        last = first if first.end_byte > node.end_byte else node
        end_line = max(line, last.end_point.row - (last.end_point.column == 0))
        return Definition(
            self._path,
            self._language,
            name,
            kind,
            owner or place.container,
            line,
            end_line,
            self._signature(first, node, kind),
            self._doc(node, statement),
            self._source(line, end_line),
        )

    def _signature(self, first: Node, node: Node, kind: str) -> str:
        """As written from behind the decorators up to the body; of a value only its first line."""
        start = behind_decorators(first)
        row = self._lines[first.start_point.row]
        indent = len(row) - len(row.lstrip())
        end = body_start(node)
        text = self._text.between(start, node.end_byte if end is None else end, MOST_SIGNATURE)
        text = text.rstrip().removesuffix("{").rstrip(" \t\n;,")
        if end is None and kind in ("constant", "field"):
            text = text.partition("\n")[0]
        lines = [line.rstrip() for line in text.split("\n")]
        within = [line[min(indent, len(line) - len(line.lstrip())) :] for line in lines[1:]]
        return "\n".join([lines[0], *within])

    def _doc(self, node: Node, statement: Statement) -> str:
        """The first line of the docstring, of the comment above, or of that behind a value."""
        if self._language == "python" and (found := docstring_of(node)) is not None:
            return self._first_line([found])
        comments = [each for each in statement.above if each.type in COMMENTS]
        if comments := _directly_above(comments, statement.node):
            return self._first_line(comments)
        behind = statement.behind
        if behind is None or behind.type not in COMMENTS or body_start(node) is not None:
            return ""
        beside = behind.start_point.row == node.end_point.row
        return self._first_line([behind]) if beside else ""

    def _first_line(self, nodes: list[Node]) -> str:
        texts = (self._text(each, MOST_SOURCE) for each in nodes)
        return next(filter(None, map(first_line, texts)), "")

    def _source(self, line: int, end_line: int) -> str:
        lines = self._lines[line : min(end_line + 1, line + MOST_LINES)]
        text = b"\n".join(lines)[: 4 * MOST_SOURCE].decode("utf-8", "replace")[:MOST_SOURCE]
        return _dedented(text.split("\n"))


def _directly_above(comments: list[Node], node: Node) -> list[Node]:
    """The comments that touch each other, and the line above `node`'s attributes or itself."""
    kept: list[Node] = []
    row = node.start_point.row
    for each in reversed(comments):
        if each.end_point.row < row - 1:
            break
        kept.insert(0, each)
        row = each.start_point.row
    return kept


def _dedented(lines: list[str]) -> str:
    """Lines without the indentation that all have in common."""
    lines = [line.rstrip() for line in lines]
    indent = min((len(line) - len(line.lstrip()) for line in lines if line), default=0)
    return "\n".join(line[indent:] for line in lines).rstrip()
