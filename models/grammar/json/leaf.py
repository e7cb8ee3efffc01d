"""A JSON string's or number's text, by its schema: llguidance's part.

llguidance asks for an object's properties in the order of the schema, so it is given single values
only. It reads bytes here, not tokens: one matcher serves every model.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import GrammarError

RULES = {
    "string": ("pattern", "minLength", "maxLength"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
}
MISSING = "a JSON schema needs llguidance: pip install 'keyturn[json-schema]'"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value's matcher after some of its text; never changes."""

    matcher: Any

    def after(self, character: str) -> "Leaf | None":
        """After one more character; None to refuse it."""
        matcher, data = self.matcher.deep_copy(), character.encode("utf-8", "replace")
        if matcher.try_consume_tokens(list(data)) < len(data):
            return None
        return Leaf(matcher)

    @property
    def may_end(self) -> bool:
        """Whether the value may end here."""
        return self.matcher.is_accepting()


class Leaves:
    """Makes matchers, one for each kind of value that a schema has. Raises `GrammarError`."""

    def __init__(self):
        try:
            import llguidance  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise GrammarError(MISSING) from error
        self._matcher = llguidance.LLMatcher
        self._bytes = llguidance.LLTokenizer("byte")
        self._made: dict[str, Leaf | None] = {}

    def leaf(self, schema: Mapping[str, Any], kind: str) -> Leaf | None:
        """The matcher for a value of that kind; None if the schema has no rule for it, or one
        that llguidance does not know."""
        rules = {name: schema[name] for name in RULES.get(kind, ()) if name in schema}
        if not rules or any(isinstance(rule, bool) for rule in rules.values()):
            return None
        if kind == "number" and schema.get("type") == "integer":
            kind = "integer"
        key = json.dumps({"type": kind, **rules}, sort_keys=True)
        if key not in self._made:
            matcher = self._matcher(self._bytes, self._matcher.grammar_from_json_schema(key))
            self._made[key] = None if matcher.is_error() else Leaf(matcher)
        return self._made[key]
