"""The rules of a JSON schema for one place: the types, values and keys that it allows there."""

import json
from collections.abc import Mapping
from typing import Any

from .leaf import Leaves

HOPS = 32  # of references


class Schema:
    """A schema and what is known of it. Raises `GrammarError` without llguidance."""

    def __init__(self, root: Any):
        self.root = root
        self.leaves = Leaves()

    def resolved(self, schema: Any) -> Mapping[str, Any] | None:
        """What a schema stands for: {} allows everything, None nothing."""
        for _ in range(HOPS):
            if schema is False:
                return None
            if not isinstance(schema, Mapping):
                return {}
            if "$ref" not in schema:
                return schema
            schema = self._at(schema["$ref"])
        return {}

    def _at(self, reference: Any) -> Any:
        """The part of the schema that a local reference names; elsewhere anything may be."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return {}
        part = self.root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(part, Mapping) and name in part:
                part = part[name]
            elif isinstance(part, list) and name.isdigit() and int(name) < len(part):
                part = part[int(name)]
            else:
                return {}
        return part


def types_of(schema: Mapping[str, Any]) -> set[str] | None:
    """The types that `type` allows; None for all."""
    given = schema.get("type")
    if isinstance(given, str):
        return {given}
    return set(given) if isinstance(given, list) else None


def allows(schema: Mapping[str, Any], kind: str) -> bool:
    """Whether a value that begins like a `kind` may come."""
    types = types_of(schema)
    if types is not None and kind not in types and not (kind == "number" and "integer" in types):
        return False
    choices = choices_of(schema)
    return choices is None or any(kind_of(json.dumps(choice)[0]) == kind for choice in choices)


def choices_of(schema: Mapping[str, Any]) -> list[Any] | None:
    """The values that `enum` or `const` allow; None for all."""
    if "const" in schema:
        return [schema["const"]]
    given = schema.get("enum")
    return given if isinstance(given, list) else None


def only_keys(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The only keys that an object may have; None for all."""
    if schema.get("additionalProperties", True) is not False or "patternProperties" in schema:
        return None
    given = schema.get("properties", {})
    return given if isinstance(given, Mapping) else None


def may_become(text: str, choices: list[Any]) -> bool:
    """Whether an unfinished literal can become one of the `choices`."""
    if text[0] in "-0123456789":  # many ways to write one number
        return True
    if text[0] == '"':
        return any(isinstance(c, str) and c.startswith(text[1:]) for c in choices)
    return any(json.dumps(choice).startswith(text) for choice in choices)


def same(value: Any, choice: Any) -> bool:
    """Equal as JSON: numbers by value, and true is not 1."""
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def fits_number(schema: Mapping[str, Any], value: float) -> bool:
    """Whether a number with a point or an exponent is of an allowed type."""
    types = types_of(schema)
    return types is None or "number" in types or value.is_integer()


def kind_of(character: str) -> str:
    """The type of a value by its first character; empty for none."""
    if character in '"{[':
        return {'"': "string", "{": "object", "[": "array"}[character]
    if character in "-0123456789":
        return "number"
    return {"t": "boolean", "f": "boolean", "n": "null"}.get(character, "")
