"""What each grammar calls the definitions of its language, and what they stand in.

A walk from the top that enters only what is named here never sees what is local to a function.
The tags that some grammars bring would be found in the whole tree, and know neither constants nor
fields, nor where in C a declaration ends.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """`definitions`: a kind by the type of node. `inside`: types of nodes to look into; of these
    `around`: statements whose text belongs to the definition in them, if it is only one."""

    definitions: dict[str, str]
    inside: frozenset[str]
    around: frozenset[str]


def _shape(inside: str, around: str = "", **kinds: str) -> Shape:
    """From types of nodes with spaces between; ERROR is what could not be read."""
    types = {each: kind.rstrip("_") for kind, found in kinds.items() for each in found.split()}
    around_ = frozenset(around.split())
    return Shape(types, around_ | {*inside.split(), "ERROR"}, around_)


SCRIPT = _shape(
    "class_body interface_body statement_block if_statement else_clause try_statement",
    "export_statement lexical_declaration variable_declaration expression_statement"
    " ambient_declaration",
    function="function_declaration generator_function_declaration function_signature"
    " method_definition method_signature abstract_method_signature",
    class_="class_declaration abstract_class_declaration class",
    interface="interface_declaration",
    type="type_alias_declaration",
    enum="enum_declaration",
    module="internal_module module",
    constant="variable_declarator public_field_definition field_definition property_signature"
    " assignment_expression",
)
C = _shape(
    "linkage_specification declaration_list field_declaration_list enumerator_list preproc_if"
    " preproc_ifdef preproc_else preproc_elif preproc_elifdef",
    "template_declaration",
    function="function_definition",
    constant="declaration field_declaration enumerator preproc_def",
    macro="preproc_function_def",
    class_="class_specifier",
    struct="struct_specifier union_specifier",
    enum="enum_specifier",
    type="type_definition alias_declaration concept_definition",
    module="namespace_definition",
)

SHAPES = {
    "python": _shape(
        "block if_statement elif_clause else_clause try_statement except_clause finally_clause"
        " with_statement",
        "decorated_definition expression_statement",
        function="function_definition",
        class_="class_definition",
        constant="assignment",
        type="type_alias_statement",
    ),
    "javascript": SCRIPT,
    "javascriptreact": SCRIPT,
    "typescript": SCRIPT,
    "typescriptreact": SCRIPT,
    "c": C,
    "cpp": C,
    "go": _shape(
        "var_spec_list struct_type field_declaration_list interface_type",
        "type_declaration const_declaration var_declaration",
        function="function_declaration method_declaration method_elem",
        type="type_spec type_alias",
        constant="const_spec var_spec field_declaration",
    ),
    "rust": _shape(
        "declaration_list field_declaration_list enum_variant_list impl_item foreign_mod_item",
        function="function_item function_signature_item",
        struct="struct_item union_item",
        enum="enum_item",
        interface="trait_item",
        type="type_item associated_type",
        constant="const_item static_item field_declaration enum_variant",
        macro="macro_definition",
        module="mod_item",
    ),
    "java": _shape(
        "class_body interface_body enum_body enum_body_declarations annotation_type_body",
        "field_declaration constant_declaration",
        function="method_declaration constructor_declaration annotation_type_element_declaration",
        class_="class_declaration record_declaration",
        interface="interface_declaration annotation_type_declaration",
        enum="enum_declaration",
        constant="variable_declarator enum_constant",
    ),
    "kotlin": _shape(
        "class_body enum_class_body companion_object",
        function="function_declaration",
        class_="class_declaration object_declaration",
        type="type_alias",
        constant="property_declaration enum_entry",
    ),
    "csharp": _shape(
        "declaration_list enum_member_declaration_list preproc_if preproc_else global_statement",
        "field_declaration event_field_declaration variable_declaration",
        function="method_declaration constructor_declaration delegate_declaration",
        class_="class_declaration record_declaration",
        struct="struct_declaration",
        interface="interface_declaration",
        enum="enum_declaration",
        module="namespace_declaration file_scoped_namespace_declaration",
        constant="variable_declarator property_declaration enum_member_declaration",
    ),
    "ruby": _shape(
        "body_statement",
        function="method singleton_method",
        class_="class",
        module="module",
        constant="assignment",
    ),
    "php": _shape(
        "declaration_list enum_declaration_list compound_statement",
        "property_declaration const_declaration",
        function="function_definition method_declaration",
        class_="class_declaration",
        interface="interface_declaration trait_declaration",
        enum="enum_declaration",
        module="namespace_definition",
        constant="property_element const_element enum_case",
    ),
    "lua": _shape(
        "",
        "variable_declaration",
        function="function_declaration",
        constant="assignment_statement",
    ),
    "shellscript": _shape(
        "if_statement",
        "declaration_command",
        function="function_definition",
        constant="variable_assignment",
    ),
}

COMMENTS = frozenset(("comment", "line_comment", "block_comment", "multiline_comment"))
DECORATORS = frozenset(
    ("decorator", "attribute_item", "attribute_list", "annotation", "marker_annotation")
)
MODIFIERS = frozenset(("modifiers",))  # annotations stand among them
FUNCTIONS = frozenset(
    ("arrow_function", "function_expression", "generator_function", "function_definition")
)
BODIES = frozenset(
    ("class_body", "enum_class_body", "function_body", "field_declaration_list", "macro_rule")
)
CONTAINERS = frozenset(("class", "struct", "interface", "enum", "module", "type"))
