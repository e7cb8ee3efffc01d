"""What a name is in its place, and which declaration it means.

As far as the tree of one file tells. What a class inherits, or what an object is, it does not.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node

from .declaring import DECLARING
from .source import Place, Source

OWN = frozenset(("self", "this", "cls", "Self"))  # behind "super" is another class's
RECEIVER = re.compile(r"([\w$]+)(?:\(\))?\s*(?:\.|->|\?\.|::?)\s*$")
KEYWORDS = frozenset(("keyword_argument.name", "argument.name", "named_argument.name"))
LABELS = frozenset(("literal_element.key", "element_value_pair.key", "field.name"))
FIRST_LABELS = frozenset(("keyword_pattern", "value_argument"))  # what stands before their sign
EXPORTED = "export_specifier"
OUTER_FIELDS = frozenset(("return_type", "superclasses", "decorator"))
PHP_FUNCTIONS = frozenset(("function_definition", "method_declaration", "anonymous_function"))
COMPREHENSIONS = frozenset(
    (
        "list_comprehension",
        "set_comprehension",
        "dictionary_comprehension",
        "generator_expression",
    )
)
BLOCKS = re.compile(r"block$|^for_|^catch")  # of JavaScript: `var` is not theirs
SHORTHANDS = re.compile(r"^shorthand_")
LONGEST_RECEIVER = 80  # characters


class Role(StrEnum):
    """What a name is."""

    PLAIN = "plain"
    MEMBER = "member"  # of what stands before it, or of the class around it
    KEYWORD = "keyword"  # names a parameter in a call
    LABEL = "label"  # names a part of what is made, or of a pattern: of which, nobody knows


@dataclass(frozen=True, slots=True)
class Use:
    """A name in its place. `scope`: of a declaration, the node in which it holds; None: the file.
    `owner`: the innermost class around it. `receiver`: what a member's name stands behind; empty
    where its class declares it."""

    place: Place
    role: Role
    declares: bool = False
    scope: Node | None = None
    owner: Node | None = None
    receiver: str = ""
    is_parameter: bool = False

    @property
    def start(self) -> int:
        return self.place.start

    @property
    def home(self) -> int:
        """Says which scope it is."""
        return 0 if self.scope is None else self.scope.id


def uses(source: Source, name: str) -> list[Use]:
    """Of a name, in their order."""
    return [use_of(source, place) for place in source.places(name)]


def use_of(source: Source, place: Place) -> Use:
    kinds = DECLARING[source.language]
    owner = next((node for node, _ in _above(place) if node.type in kinds.classes), None)
    before = source.text[max(0, place.start - LONGEST_RECEIVER) : place.start].rstrip()
    if before.endswith(_member_signs(source.language)) and not before.endswith(".."):
        found = RECEIVER.search(before)
        receiver = found.group(1) if found else "?"
        return Use(place, Role.MEMBER, _is_assigned(place), None, owner, receiver)
    node, field = next(_above(place))
    kind = f"{node.type}.{field}"
    if kind in KEYWORDS:
        return Use(place, Role.KEYWORD, owner=owner)
    if source.language == "java" and kind == "method_invocation.name":
        return Use(place, Role.MEMBER, owner=owner)  # variables have names of their own
    if _is_label(place):
        return Use(place, Role.LABEL, owner=owner)
    declared = _declared(source.language, place)
    if kind == "import_specifier.name" and node.child_by_field_name("alias") is not None:
        declared = ""  # it has another name here
    if declared == "member":
        return Use(place, Role.MEMBER, True, owner, owner)
    if declared:
        scope = _scope(source.language, place)
        if scope is not None and scope is owner and "type_param" not in declared:
            return Use(place, Role.MEMBER, True, owner, owner)
        return Use(place, Role.PLAIN, True, scope, owner, "", "param" in declared)
    leaf = place.steps[-1].node.type
    if leaf.startswith(("property_", "field_")):
        return Use(place, Role.MEMBER, owner=owner, receiver="?")
    return Use(place, Role.PLAIN, owner=owner)


def binding(language: str, place: Place, declarations: Iterable[Use]) -> Use | None:
    """Of these declarations of a name the one that it means in this place."""
    kinds = DECLARING[language]
    by_home: dict[int, Use] = {}
    for each in declarations:
        by_home.setdefault(each.home, each)
    is_inside = False  # a function
    for node, _ in _above(place):
        found = by_home.get(node.id)
        is_hidden = is_inside and not kinds.is_implicit and found and found.role is Role.MEMBER
        if found is not None and not is_hidden and not _is_outside(language, node, place, found):
            return found
        is_inside = is_inside or node.type in kinds.scopes
        if language == "php" and node.type in PHP_FUNCTIONS and _is_variable(place):
            return None  # it sees no variables around it
    return by_home.get(0)


def is_imported(use: Use) -> bool:
    """Whether it stands in an import."""
    return any(re.search(r"import|^use_|using_directive", n.type) for n, _ in _above(use.place))


def is_of_another_scope(use: Use) -> bool:
    """Whether it stands in a statement that says so."""
    kinds = ("global_statement", "nonlocal_statement", "global_declaration", "declaration_command")
    return any(step.node.type in kinds for step in use.place.steps[-3:])


def is_for_all(use: Use) -> bool:
    """Whether it declares what other files may know."""
    return use.declares and use.role is Role.PLAIN and use.scope is None and not is_imported(use)


def _is_label(place: Place) -> bool:
    """Whether it says which part of something a value is for."""
    if len(place.steps) < 3:
        return False
    leaf, around = place.steps[-1], place.steps[-2].node
    above = f"{around.type}.{leaf.field}", f"{around.type}.{place.steps[-2].field}"
    if above[0] in LABELS or above[1] in LABELS:
        return True
    if around.type in FIRST_LABELS:
        first = around.named_child(0)
        return around.named_child_count > 1 and first is not None and first.id == leaf.node.id
    parent = place.steps[-3].node
    return parent.type == "initializer_expression" and leaf.field == "left"


def _is_outside(language: str, node: Node, place: Place, declared: Use) -> bool:
    """Whether a name stands in a node, and what is declared in that does not hold there."""
    if _is_head(node, place):
        return True
    if language != "python":
        return False
    steps = place.steps
    at = next((i for i, step in enumerate(steps) if step.node.id == node.id), len(steps))
    inner = steps[at + 1] if at + 1 < len(steps) else None
    if inner is None:
        return False
    if inner.field in OUTER_FIELDS:
        return True
    if inner.field == "parameters":
        return place.start != declared.start and _declared(language, place) == ""
    if node.type in COMPREHENSIONS and inner.node.type == "for_in_clause":
        first = next((e for e in node.named_children if e.type == "for_in_clause"), None)
        is_first = first is not None and first.id == inner.node.id
        return is_first and at + 2 < len(steps) and steps[at + 2].field == "right"
    return False


def _is_variable(place: Place) -> bool:
    return any(step.node.type == "variable_name" for step in place.steps[-2:])


def is_export(use: Use) -> bool:
    """Whether it is what a module calls it, or what another module does."""
    return any(step.node.type == EXPORTED for step in use.place.steps[-3:])


def is_re_export(use: Use) -> bool:
    """Whether it is a name of another module, which this one hands on."""
    if not is_export(use):
        return False
    statements = [s.node for s in use.place.steps if s.node.type == "export_statement"]
    return any(node.child_by_field_name("source") is not None for node in statements)


def is_shorthand(use: Use) -> bool:
    """Whether it is a field's name and its value in one."""
    steps = use.place.steps[-2:]
    return any(SHORTHANDS.search(step.node.type) for step in steps)


def owner_name(source: Source, owner: Node | None) -> str:
    """Of a class."""
    if owner is None:
        return ""
    return source.text_of(owner.child_by_field_name("name") or owner.child_by_field_name("type"))


def _above(place: Place) -> Iterator[tuple[Node, str]]:
    """Each node around a name, innermost first, with the field that the name is in there."""
    steps = place.steps
    for inner, outer in zip(steps[:0:-1], steps[-2::-1], strict=True):
        yield outer.node, inner.field


def _declared(language: str, place: Place) -> str:
    """What declares the name: a node's type and a field; "member" for a class's; else empty."""
    kinds = DECLARING[language]
    for node, field in _above(place):
        kind = f"{node.type}.{field}"
        if kind in kinds.members:
            return "member"
        if kind in kinds.names:
            return kind
        if node.type not in kinds.through or field in ("type", "right", "value", "size", "default"):
            return ""
    return ""


def _is_assigned(place: Place) -> bool:
    above = _above(place)
    next(above)  # the object and its member
    node, field = next(above, (None, ""))
    return node is not None and "assignment" in node.type and field == "left"


def _scope(language: str, place: Place) -> Node | None:
    """In what a declared name holds. The name of a function or a class holds outside of it."""
    kinds = DECLARING[language]
    is_var = any(step.node.type == "variable_declaration" for step in place.steps[-4:])
    is_walrus = any(step.node.type == "named_expression" for step in place.steps[-2:])
    for node, _ in _above(place):
        if is_walrus and node.type in COMPREHENSIONS:
            continue
        if is_var and language.startswith(("java", "type")) and BLOCKS.search(node.type):
            continue
        is_scope = node.type in kinds.scopes or node.type in kinds.classes
        if is_scope and not _is_head(node, place):
            return node
    return None


def _is_head(node: Node, place: Place) -> bool:
    """Whether the name is that of the function or the class itself."""
    if node.type.startswith(("for_", "enhanced_for", "catch")):
        return False
    name = node.child_by_field_name("name")
    if name is None and node.type == "function_definition":
        name = node.child_by_field_name("declarator")
        while name is not None and (inner := name.child_by_field_name("declarator")) is not None:
            name = inner
    leaf = place.steps[-1].node
    return name is not None and name.start_byte <= leaf.start_byte < name.end_byte


def _member_signs(language: str) -> tuple[str, ...]:
    match language:
        case "c" | "cpp" | "php":
            return (".", "->", "::")
        case "lua":
            return (".", ":")
        case _:
            return (".", "::")
