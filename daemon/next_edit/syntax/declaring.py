"""Where in the trees of each grammar a name is declared, and where what is declared there holds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Declaring:
    """Nodes by their types; `names` and `members`: with the field that the declared name is in.

    `through`: nodes of patterns between a name and what declares it. `scopes`: what is declared in
    one of these holds in it. `classes`: the names in `members`, and what is declared right below
    one of these, belong to it. `is_implicit`: these are used without naming an object, too.
    """

    names: frozenset[str]
    members: frozenset[str]
    through: frozenset[str]
    scopes: frozenset[str]
    classes: frozenset[str]
    is_implicit: bool = False


def _declaring(
    names: str, members: str, through: str, scopes: str, classes: str, is_implicit: bool = False
) -> Declaring:
    """From words with spaces between."""
    return Declaring(
        frozenset(names.split()),
        frozenset(members.split()),
        frozenset(through.split()),
        frozenset(scopes.split()),
        frozenset(classes.split()),
        is_implicit,
    )


SCRIPT = _declaring(
    "import_clause. import_specifier.name import_specifier.alias namespace_import."
    " function_declaration.name generator_function_declaration.name function_expression.name"
    " function_signature.name formal_parameters. required_parameter.pattern"
    " optional_parameter.pattern variable_declarator.name for_in_statement.left"
    " catch_clause.parameter arrow_function.parameter class_declaration.name class.name"
    " abstract_class_declaration.name interface_declaration.name type_alias_declaration.name"
    " enum_declaration.name type_parameter.name",
    "field_definition.property public_field_definition.name method_definition.name"
    " property_signature.name method_signature.name abstract_method_signature.name enum_body.name"
    " enum_assignment.name",
    "array_pattern object_pattern rest_pattern pair_pattern assignment_pattern"
    " object_assignment_pattern",
    "function_declaration generator_function_declaration function_expression generator_function"
    " arrow_function method_definition function_signature method_signature statement_block"
    " for_statement for_in_statement catch_clause",
    "class_declaration class abstract_class_declaration interface_declaration enum_declaration",
)
C = _declaring(
    "preproc_def.name preproc_function_def.name struct_specifier.name union_specifier.name"
    " enum_specifier.name class_specifier.name type_definition.declarator enumerator.name"
    " function_definition.declarator declaration.declarator parameter_declaration.declarator"
    " optional_parameter_declaration.declarator for_range_loop.declarator namespace_definition.name"
    " alias_declaration.name type_parameter_declaration.",
    "field_declaration.declarator",
    "function_declarator pointer_declarator reference_declarator array_declarator init_declarator"
    " structured_binding_declarator parenthesized_declarator",
    "function_definition compound_statement for_statement for_range_loop lambda_expression"
    " catch_clause template_declaration",
    "struct_specifier union_specifier class_specifier",
    is_implicit=True,
)

DECLARING = {
    "python": _declaring(
        "import_statement.name import_from_statement.name aliased_import.alias parameters."
        " lambda_parameters. default_parameter.name typed_default_parameter.name assignment.left"
        " for_statement.left for_in_clause.left as_pattern.alias named_expression.name"
        " function_definition.name class_definition.name",
        "",
        "pattern_list tuple_pattern list_pattern list_splat_pattern dictionary_splat_pattern"
        " typed_parameter dotted_name as_pattern_target tuple list parenthesized_expression",
        "function_definition lambda list_comprehension set_comprehension dictionary_comprehension"
        " generator_expression",
        "class_definition",
    ),
    "javascript": SCRIPT,
    "javascriptreact": SCRIPT,
    "typescript": SCRIPT,
    "typescriptreact": SCRIPT,
    "c": C,
    "cpp": C,
    "go": _declaring(
        "import_spec.name function_declaration.name parameter_declaration.name"
        " variadic_parameter_declaration.name short_var_declaration.left var_spec.name"
        " const_spec.name range_clause.left type_switch_statement.alias receive_statement.left"
        " type_spec.name type_alias.name type_parameter_declaration.name",
        "field_declaration.name method_declaration.name method_elem.name",
        "expression_list",
        "function_declaration method_declaration func_literal block for_statement if_statement"
        " expression_switch_statement type_switch_statement expression_case type_case"
        " communication_case",
        "type_spec",
    ),
    "rust": _declaring(
        "function_item.name parameter.pattern let_declaration.pattern for_expression.pattern"
        " let_condition.pattern match_arm.pattern closure_parameters. const_item.name"
        " static_item.name struct_item.name enum_item.name trait_item.name type_item.name"
        " mod_item.name macro_definition.name use_as_clause.alias use_list."
        " type_parameter.name constrained_type_parameter.left type_parameters.",
        "field_declaration.name enum_variant.name",
        "tuple_pattern mut_pattern ref_pattern reference_pattern tuple_struct_pattern slice_pattern"
        " captured_pattern match_pattern or_pattern",
        "function_item closure_expression block for_expression match_arm if_expression"
        " while_expression",
        "impl_item struct_item enum_item trait_item",
    ),
    "java": _declaring(
        "class_declaration.name interface_declaration.name enum_declaration.name"
        " record_declaration.name formal_parameter.name spread_parameter.name"
        " local_variable_declaration.declarator enhanced_for_statement.name resource.name"
        " catch_formal_parameter.name inferred_parameters. lambda_expression.parameters"
        " type_parameter.",
        "field_declaration.declarator method_declaration.name enum_constant.name"
        " constant_declaration.declarator",
        "variable_declarator",
        "method_declaration constructor_declaration lambda_expression block constructor_body"
        " for_statement enhanced_for_statement try_with_resources_statement catch_clause",
        "class_declaration interface_declaration enum_declaration record_declaration",
        is_implicit=True,
    ),
    "csharp": _declaring(
        "class_declaration.name interface_declaration.name enum_declaration.name"
        " lambda_expression.parameters"
        " struct_declaration.name record_declaration.name parameter.name variable_declaration."
        " foreach_statement.left catch_declaration.name declaration_pattern.name"
        " local_function_statement.name type_parameter.name",
        "property_declaration.name method_declaration.name enum_member_declaration.name"
        " field_declaration.",
        "variable_declarator",
        "method_declaration constructor_declaration lambda_expression local_function_statement"
        " block for_statement foreach_statement catch_clause",
        "class_declaration interface_declaration enum_declaration struct_declaration"
        " record_declaration",
        is_implicit=True,
    ),
    "kotlin": _declaring(
        "class_declaration.name object_declaration.name function_declaration.name parameter."
        " variable_declaration. catch_block. import. class_parameter.",
        "enum_entry.",
        "",
        "function_declaration lambda_literal block for_statement catch_block",
        "class_declaration object_declaration",
        is_implicit=True,
    ),
    "php": _declaring(
        "function_definition.name simple_parameter.name assignment_expression.left"
        " catch_clause.name class_declaration.name interface_declaration.name"
        " trait_declaration.name namespace_use_clause.alias foreach_statement.",
        "method_declaration.name const_element. enum_case.name property_element.",
        "pair list_literal",
        "function_definition method_declaration anonymous_function arrow_function",
        "class_declaration interface_declaration trait_declaration enum_declaration",
    ),
    "lua": _declaring(
        "variable_declaration. function_declaration.name parameters.name"
        " for_numeric_clause.name for_generic_clause.",
        "",
        "assignment_statement variable_list",
        "function_declaration function_definition block for_statement",
        "",
    ),
    "ruby": _declaring(
        "assignment.left method_parameters. optional_parameter.name splat_parameter.name"
        " keyword_parameter.name block_parameter.name block_parameters."
        " exception_variable.variable class.name module.name",
        "method.name singleton_method.name",
        "left_assignment_list exception_variable",
        "method singleton_method block do_block lambda",
        "class module",
        is_implicit=True,
    ),
    "shellscript": _declaring(
        "variable_assignment.name for_statement.variable function_definition.name", "", "", "", ""
    ),
}
