"""Statements that make names of other files known, in each language's own way."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tree_sitter import Node

from ..outline import Import
from .syntax import Stopwatch, Text

MOST_IMPORTS = 1_000  # of a file
MOST_PARENTS = 6  # nodes from a word up to its statement

STRING = re.compile(r"""(["'`])((?:(?!\1)[^\\\n])*)\1""")
Names = tuple[tuple[str, str], ...]


def imports_below(root: Node, language: str, data: bytes, watch: Stopwatch) -> Iterator[Import]:
    """What the statements in a file say, wherever they stand. A word finds them, and the tree knows
    whether it is one. Raises `TooLong`."""
    statement, text = STATEMENTS[language], Text(data)
    seen = -1  # byte up to which statements were read
    for count, found in enumerate(statement.word.finditer(data)):
        watch.check()
        node = _statement(root, found.start(1), found.end(1), statement.types)
        if count < MOST_IMPORTS and node is not None and node.start_byte > seen:
            seen = node.start_byte
            for module, names, alias in statement.read(node, text):
                if module:
                    yield Import(module, tuple(names), alias, node.start_point.row)


def _statement(root: Node, start: int, end: int, types: Sequence[str]) -> Node | None:
    node = root.descendant_for_byte_range(start, end)
    for _ in range(MOST_PARENTS):
        if node is None or (node.is_named and node.type in types):
            return node
        node = node.parent
    return None


Found = Iterator[tuple[str, Names, str]]


def _python(node: Node, text: Text) -> Found:
    names = node.children_by_field_name("name")
    if node.type == "import_from_statement":
        module = node.child_by_field_name("module_name")
        if module is not None:
            yield text(module).replace(" ", ""), tuple(_renamed(name, text) for name in names), ""
        return
    for name in names:
        there, here = _renamed(name, text)
        yield there, (), here


def _renamed(node: Node, text: Text) -> tuple[str, str]:
    """A name there and here."""
    name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
    there = text(name or node)
    return there, text(alias) or there


def _script(node: Node, text: Text) -> Found:
    if node.type == "variable_declarator":
        yield from _required(node, text)
        return
    source = node.child_by_field_name("source") or _of_type(node, "import_require_clause")
    if source is None:
        return
    names: list[tuple[str, str]] = []
    alias = ""
    for clause in _clauses(node):
        match clause.type:
            case "identifier" if clause.parent and clause.parent.type == "import_clause":
                names.append(("default", text(clause)))
            case "import_specifier" | "export_specifier":
                names.append(_renamed(clause, text))
            case "namespace_import" | "namespace_export" | "import_require_clause":
                alias = next((text(e) for e in clause.named_children), "")
    yield _string(text(source)), tuple(names), alias


def _clauses(node: Node) -> Iterator[Node]:
    for child in node.named_children:
        yield child
        if child.type in ("import_clause", "named_imports", "export_clause"):
            yield from _clauses(child)


def _required(node: Node, text: Text) -> Found:
    name = node.child_by_field_name("name")
    found = list(STRING.finditer(text(node)))
    if name is None or not found:
        return
    if name.type != "object_pattern":
        yield found[-1][2], (), text(name)
        return
    pairs = [text(each).partition(":")[::2] for each in name.named_children]
    yield found[-1][2], tuple((a.strip(), b.strip() or a.strip()) for a, b in pairs), ""


def _go(node: Node, text: Text) -> Found:
    path, name = node.child_by_field_name("path"), node.child_by_field_name("name")
    if path is not None:
        module = text(path).strip('"`')
        known = module.rpartition("/")[2] if name is None else text(name)
        yield module, (), "" if known in (".", "_") else known


def _rust(node: Node, text: Text) -> Found:
    if node.type == "mod_item":
        if node.child_by_field_name("body") is not None:
            return
        name = text(node.child_by_field_name("name"))
        yield name, (), name
    elif node.type == "extern_crate_declaration":
        there, here = _renamed(node, text)
        yield there, (), here
    elif (argument := node.child_by_field_name("argument")) is not None:
        yield from _used(argument, text, "")


def _used(node: Node, text: Text, before: str, depth: int = 0) -> Found:
    """A tree of what is used: the names directly in a module together."""
    names: list[tuple[str, str]] = []
    prefix, parts = before, [node]
    if node.type in ("scoped_use_list", "use_list"):
        path = node.child_by_field_name("path")
        prefix = before if path is None else _joined(before, text(path))
        parts = (node.child_by_field_name("list") or node).named_children
    for part in parts:
        if part.type in ("scoped_use_list", "use_list"):
            if depth < 20:
                yield from _used(part, text, prefix, depth + 1)
        elif part.type == "use_wildcard":
            yield _joined(prefix, text(part).removesuffix("*").removesuffix("::")), (), ""
        elif part.type == "use_as_clause" or "::" in text(part):
            path = text(part.child_by_field_name("path")) if "as" in part.type else text(part)
            alias = part.child_by_field_name("alias")
            module, _, name = _joined(prefix, path).rpartition("::")
            here = text(alias) or name
            yield module or name, ((name, here),) if module else (), "" if module else here
        elif part.type == "self":
            yield prefix, (), prefix.rpartition("::")[2]
        elif prefix:
            names.append((text(part), text(part)))
        else:
            yield text(part), (), text(part)
    if names:
        yield prefix, tuple(names), ""


def _joined(before: str, after: str) -> str:
    return f"{before}::{after}" if before and after else before or after


DOTTED = re.compile(r"import\s+(?:static\s+)?([\w.`]+?)(\.\*)?(?:\s+as\s+(\w+))?\s*;?\s*$")
USING = re.compile(r"using\s+(?:static\s+|unsafe\s+)*(?:(\w+)\s*=\s*)?([\w.:<>, ]+?)\s*;")


def _dotted(node: Node, text: Text) -> Found:
    found = DOTTED.search(text(node).strip())
    if found is None:
        return
    module, every, alias = found.groups()
    if every:
        yield module, (), ""
        return
    module, _, name = module.rpartition(".")
    yield module or name, ((name, alias or name),) if module else (), ""


def _csharp(node: Node, text: Text) -> Found:
    if found := USING.search(text(node)):
        yield found[2], (), found[1] or ""


def _c(node: Node, text: Text) -> Found:
    if (path := node.child_by_field_name("path")) is not None:
        yield text(path).strip('"<> '), (), ""


def _php(node: Node, text: Text) -> Found:
    if node.type != "namespace_use_declaration":
        yield _string(text(node)), (), ""
        return
    body = re.sub(r"^use\s+(?:(?:function|const)\s+)?", "", text(node).strip()).rstrip("; \n")
    prefix, brace, inside = body.partition("{")
    for part in (inside.rstrip("} \n") if brace else body).split(","):
        there, _, alias = part.strip().partition(" as ")
        full = (prefix.strip() if brace else "") + there.strip()
        module, _, name = full.strip("\\").rpartition("\\")
        if name:
            yield module or name, ((name, alias.strip() or name),), ""


def _quoted(node: Node, text: Text) -> Found:
    """Ruby's and the shell's: by a path."""
    module = _string(text(node))
    if module and text(node).startswith("require_relative") and not module.startswith("."):
        module = f"./{module}"
    yield module or text(node.child_by_field_name("argument")), (), ""


def _lua(node: Node, text: Text) -> Found:
    around = node.parent and node.parent.parent
    name = ""
    if around is not None and around.type == "assignment_statement":
        name = text(around.named_children[0]) if around.named_children else ""
    yield _string(text(node)), (), name


def _of_type(node: Node, kind: str) -> Node | None:
    return next((each for each in node.named_children if each.type == kind), None)


def _string(text: str) -> str:
    found = STRING.search(text)
    return found[2] if found else ""


@dataclass(frozen=True)
class Statement:
    """A `word` that stands in each (group 1), the `types` of its nodes, and what `read`s one."""

    word: re.Pattern[bytes]
    types: tuple[str, ...]
    read: Callable[[Node, Text], Found]


SCRIPT = Statement(
    re.compile(rb"\b(import|export|require)\b"),
    ("import_statement", "export_statement", "variable_declarator"),
    _script,
)
C = Statement(re.compile(rb"#[ \t]*(include)\b"), ("preproc_include",), _c)
STATEMENTS = {
    "python": Statement(
        re.compile(rb"^[ \t]*(import|from)\b", re.MULTILINE),
        ("import_statement", "import_from_statement"),
        _python,
    ),
    "javascript": SCRIPT,
    "javascriptreact": SCRIPT,
    "typescript": SCRIPT,
    "typescriptreact": SCRIPT,
    "c": C,
    "cpp": C,
    "go": Statement(
        re.compile(rb"^[ \t]*(?:import[ \t]+)?(?:[\w.]+[ \t]+)?(\"[^\"\n]+\")", re.MULTILINE),
        ("import_spec",),
        _go,
    ),
    "rust": Statement(
        re.compile(rb"\b(use|mod|extern)\b"),
        ("use_declaration", "mod_item", "extern_crate_declaration"),
        _rust,
    ),
    "java": Statement(
        re.compile(rb"^[ \t]*(import)\b", re.MULTILINE), ("import_declaration",), _dotted
    ),
    "kotlin": Statement(re.compile(rb"^[ \t]*(import)\b", re.MULTILINE), ("import",), _dotted),
    "csharp": Statement(re.compile(rb"\b(using)\b"), ("using_directive",), _csharp),
    "php": Statement(
        re.compile(rb"\b(use|require|require_once|include|include_once)\b"),
        (
            "namespace_use_declaration",
            "require_expression",
            "require_once_expression",
            "include_expression",
            "include_once_expression",
        ),
        _php,
    ),
    "ruby": Statement(re.compile(rb"\b(require|require_relative)\b"), ("call",), _quoted),
    "lua": Statement(re.compile(rb"\b(require)\b"), ("function_call",), _lua),
    "shellscript": Statement(
        re.compile(rb"^[ \t]*(source|\.)[ \t]", re.MULTILINE), ("command",), _quoted
    ),
}
