"""The parts of a node that defines something: its names, its kind, where its body begins."""

from collections.abc import Iterator

from tree_sitter import Node

from .shapes import BODIES, COMMENTS, DECORATORS, FUNCTIONS, MODIFIERS
from .syntax import Text

MOST_NAME = 200  # characters; what has a longer name is left out
MOST_DEPTH = 40  # of nodes that are looked into
NOT_CONTAINERS = ("", "exports", "module", "module.exports", "self", "this", "window")
NAMED_ELSEWHERE = (
    "class_specifier", "struct_specifier", "union_specifier", "enum_specifier", "mod_item",
)  # fmt: skip
KINDS_OF_SPECS = {"struct_type": "struct", "interface_type": "interface"}


def kind_of(node: Node, text: Text, kind: str, member: bool) -> str:
    """What it is where it stands; empty for what is no definition after all."""
    value = _value(node)
    if value is not None and value.type in FUNCTIONS:
        kind = "function"
    elif value is not None and value.type == "class":
        kind = "class"
    elif node.type in ("declaration", "field_declaration") and _declares_function(node):
        kind = "function"
    elif node.type == "type_spec" and (found := node.child_by_field_name("type")) is not None:
        kind = KINDS_OF_SPECS.get(found.type, kind)
    elif node.type == "assignment_expression" or _is_elsewhere(node, value, text):
        return ""
    if member:
        return {"function": "method", "constant": "field"}.get(kind, kind)
    return kind


def _is_elsewhere(node: Node, value: Node | None, text: Text) -> bool:
    """Whether what it names is defined in another place."""
    if value is not None and value.type in ("call_expression", "function_call"):
        return text(value, 8).startswith(("require(", "require "))
    return node.type in NAMED_ELSEWHERE and node.child_by_field_name("body") is None


def names_of(node: Node, text: Text) -> Iterator[tuple[str, str]]:
    """Of what a node defines, each with the name of what it says it belongs to."""
    receiver = first_name(node.child_by_field_name("receiver"), text)
    for field in ("name", "left", "declarator"):
        if found := node.children_by_field_name(field):
            break
    else:
        found = [each for each in (_name_without_field(node),) if each is not None]
    for each in found:
        leaf, owner = _leaf(each, text)
        name = text(leaf)
        if leaf.type.endswith(("pattern", "_list")) or not name or " " in name:
            continue
        if node.type == "assignment" and leaf.type not in ("identifier", "constant"):
            continue
        yield name.strip("\"'"), receiver or ("" if owner in NOT_CONTAINERS else owner)


def _leaf(node: Node, text: Text) -> tuple[Node, str]:
    """The name itself in what names something, and the last of what is before it."""
    owner = ""
    for _ in range(MOST_DEPTH):
        before = next(filter(None, map(node.child_by_field_name, ("scope", "table", "object"))), 0)
        if isinstance(before, Node):
            owner = text(before).removesuffix(".prototype")
        for field in ("declarator", "name", "property", "field", "method"):
            if (inner := node.child_by_field_name(field)) is not None:
                break
        else:
            loose = ("parenthesized_declarator", "reference_declarator", "variable_name")
            if node.type not in loose or not node.named_children:
                break
            inner = node.named_children[-1]
        node = inner
    return node, owner


def _name_without_field(node: Node) -> Node | None:
    for child in node.named_children:
        if child.type == "variable_list":
            return child.child_by_field_name("name")
        if child.type == "variable_declaration":
            return _name_without_field(child)
        if child.type in ("identifier", "simple_identifier", "type_identifier", "name"):
            return child
    return None


def first_name(node: Node | None, text: Text) -> str:
    """The first name of a type in a node, brackets and stars aside."""
    for _ in range(MOST_DEPTH):
        if node is None or node.type in ("type_identifier", "identifier"):
            break
        inner = node.child_by_field_name("type") or node.child_by_field_name("name")
        node = inner or next(iter(node.named_children), None)
    return text(node)


def _value(node: Node) -> Node | None:
    found = node.child_by_field_name("value") or node.child_by_field_name("right")
    if found is None and node.type == "assignment_statement":
        for child in node.named_children:
            found = child.child_by_field_name("value") or found
    return found


def _declares_function(node: Node) -> bool:
    """Whether in C it is a function, rather than a pointer to one."""
    found = node.child_by_field_name("declarator")
    while found is not None:
        inner = found.child_by_field_name("declarator")
        if found.type == "function_declarator":
            return inner is not None and inner.type != "parenthesized_declarator"
        found = inner
    return False


def behind_decorators(node: Node) -> int:
    start = node.start_byte
    for child in node.children:
        if child.type in DECORATORS:
            start = child.end_byte
        elif child.type in MODIFIERS:
            inner = behind_decorators(child)
            return inner if inner < child.end_byte else child.end_byte
        else:
            return child.start_byte if start > node.start_byte else start
    return start


def body_start(node: Node) -> int | None:
    """Where the text before the body ends; None for what has none."""
    value = _value(node)
    spec = node.child_by_field_name("type") if node.type == "type_spec" else None
    if value is not None and value.type not in (*FUNCTIONS, "class"):
        value = None
    for around in filter(None, (node, value, spec)):
        body = around.child_by_field_name("body")
        end = around.start_byte
        for child in around.children:
            if child == body or (body is None and child.type in BODIES):
                return end
            if child.type not in COMMENTS:
                end = child.end_byte
        if around is not node and around.type == "interface_type":
            return around.children[0].end_byte
    return None


def docstring_of(node: Node) -> Node | None:
    body = node.child_by_field_name("body")
    for child in () if body is None else body.named_children[:2]:
        if child.type == "expression_statement" and child.named_child_count == 1:
            found = child.named_children[0]
            return found if found.type == "string" else None
        if child.type not in COMMENTS:
            break
    return None
