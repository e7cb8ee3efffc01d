"""JSON that follows a schema: the keys and values that may still come.

`SchemaOracle` follows objects and arrays itself, in whatever order their keys come, and leaves to
llguidance what a single value's text may be: patterns, lengths and bounds. It refuses only what
breaks `type`, `enum`, `const`, `properties` with `additionalProperties: false`, `required`,
`items` and the rules for single values, behind local references; other keywords let everything
pass. So do comments and whatever else is not plain JSON: syntax is the grammar's affair.
"""

import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from ..oracle import Opening, State, Unconstrained, reach
from .leaf import Leaf
from .rules import Schema, allows, choices_of, fits_number, kind_of, may_become, only_keys, same

MOST_CHARACTERS = 200_000
BLANK = " \t\r\n"
NOT_JSON = "not plain JSON: its schema is left out"


class Expect(Enum):
    """What may come next, white space aside."""

    VALUE = "a value"
    VALUE_OR_END = "a value or ]"
    KEY = "a key"
    KEY_OR_END = "a key or }"
    COLON = ":"
    MORE = ", or an end"


@dataclass(frozen=True, slots=True)
class Frame:
    """An object or an array that is open."""

    schema: Mapping[str, Any]
    is_array: bool
    keys: frozenset[str] = frozenset()
    key: str = ""  # the last one


@dataclass(frozen=True, slots=True)
class Literal:
    """A key, or a value that is neither object nor array, as far as it is written."""

    text: str  # as in the file
    schema: Mapping[str, Any]
    is_key: bool = False
    escaped: bool = False  # the next character is
    leaf: Leaf | None = None  # None: nothing to check

    @property
    def is_string(self) -> bool:
        return self.text[0] == '"'


@dataclass(frozen=True)
class SchemaState:
    """After some JSON text; `oracle.State`."""

    schema: Schema
    frames: tuple[Frame, ...] = ()
    expect: Expect = Expect.VALUE
    literal: Literal | None = None
    done: bool = False  # the one value of the file is written
    partial: bytes = field(default=b"")  # the start of a character

    def feed(self, data: bytes) -> State | None:
        """See `oracle.State`."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoder.setstate((self.partial, 0))
        state: State | None = self
        for character in decoder.decode(data):
            if not isinstance(state, SchemaState):
                return state
            state = state._step(character)
        if isinstance(state, SchemaState):
            return replace(state, partial=decoder.getstate()[0])
        return state

    def can_finish(self) -> bool:
        """Whether the file may end here."""
        state = self._closed() if self.literal is not None and not self.literal.is_string else self
        return isinstance(state, SchemaState) and state.done and state.literal is None

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """See `oracle.State`."""
        return reach(self, pieces, finish)

    # region one character

    def _step(self, character: str) -> State | None:
        if self.literal is not None:
            return self._literal_step(self.literal, character)
        if character in BLANK:
            return self
        frame = self.frames[-1] if self.frames else None
        match self.expect, character:
            case (Expect.VALUE_OR_END, "]") | (Expect.KEY_OR_END, "}"):
                return self._end_frame()
            case ((Expect.VALUE | Expect.VALUE_OR_END), _):
                return self._begin_value(character)
            case ((Expect.KEY | Expect.KEY_OR_END), '"'):
                assert frame is not None
                return replace(self, literal=Literal('"', frame.schema, is_key=True))
            case Expect.COLON, ":":
                return replace(self, expect=Expect.VALUE)
            case Expect.MORE, "," if frame is not None:
                return replace(self, expect=Expect.VALUE if frame.is_array else Expect.KEY)
            case Expect.MORE, ("]" | "}") if frame and frame.is_array == (character == "]"):
                return self._end_frame()
        return Unconstrained(NOT_JSON)

    def _begin_value(self, character: str) -> State | None:
        schema = self._value_schema()
        kind = kind_of(character)
        if not kind:
            return Unconstrained(NOT_JSON)
        if schema is None or not allows(schema, kind):
            return None
        if kind in ("object", "array"):
            is_array = kind == "array"
            frames = (*self.frames, Frame(schema, is_array))
            return replace(
                self, frames=frames, expect=Expect.VALUE_OR_END if is_array else Expect.KEY_OR_END
            )
        leaf = self.schema.leaves.leaf(schema, kind)
        return self._written(Literal(character, schema, leaf=leaf), character)

    def _literal_step(self, literal: Literal, character: str) -> State | None:
        if not literal.is_string:
            if character in BLANK or character in ",]}":
                closed = self._closed()
                return closed._step(character) if isinstance(closed, SchemaState) else closed
            return self._written(replace(literal, text=literal.text + character), character)
        if character == "\n":
            return Unconstrained(NOT_JSON)
        ends = character == '"' and not literal.escaped
        escaped = character == "\\" and not literal.escaped
        longer = replace(literal, text=literal.text + character, escaped=escaped)
        if ends:
            return replace(self, literal=longer)._closed(last=character)
        return self._written(longer, character)

    def _written(self, literal: Literal, character: str) -> State | None:
        """With a literal that `character` was added to; None if it can become nothing allowed."""
        if "\\" in literal.text:  # judged when it is complete
            return replace(self, literal=replace(literal, leaf=None))
        if literal.is_key:
            allowed = only_keys(literal.schema)
            begun = literal.text[1:]
            if allowed is not None and not any(name.startswith(begun) for name in allowed):
                return None
            return replace(self, literal=literal)
        choices = choices_of(literal.schema)
        if choices is not None and not may_become(literal.text, choices):
            return None
        leaf = literal.leaf
        if leaf is not None:
            if literal.text[0] in "-0123456789" and character in ".eE":
                leaf = None  # 1.0 is an integer too
            elif (leaf := leaf.after(character)) is None:
                return None
        return replace(self, literal=replace(literal, leaf=leaf))

    def _closed(self, last: str = "") -> State | None:
        """With the literal complete; `last` is its last character if no leaf has seen it."""
        literal = self.literal
        assert literal is not None
        try:
            value = json.loads(literal.text)
        except ValueError:
            return Unconstrained(NOT_JSON)
        if literal.is_key:
            allowed = only_keys(literal.schema)
            if allowed is not None and value not in allowed:
                return None
            frame = self.frames[-1]
            frame = replace(frame, keys=frame.keys | {value}, key=value)
            frames = (*self.frames[:-1], frame)
            return replace(self, frames=frames, literal=None, expect=Expect.COLON)
        choices = choices_of(literal.schema)
        if choices is not None and not any(same(value, choice) for choice in choices):
            return None
        if isinstance(value, float) and not fits_number(literal.schema, value):
            return None
        leaf = literal.leaf
        if leaf is not None and last:
            leaf = leaf.after(last)
        if literal.leaf is not None and (leaf is None or not leaf.may_end):
            return None
        return self._after_value(replace(self, literal=None))

    # endregion
    # region frames

    def _value_schema(self) -> Mapping[str, Any] | None:
        """The schema of the value that comes next."""
        if not self.frames:
            return self.schema.resolved(self.schema.root)
        frame = self.frames[-1]
        if frame.is_array:
            items = frame.schema.get("items", {})
            return self.schema.resolved({} if "prefixItems" in frame.schema else items)
        properties = frame.schema.get("properties", {})
        if isinstance(properties, Mapping) and frame.key in properties:
            return self.schema.resolved(properties[frame.key])
        more = frame.schema.get("additionalProperties", {})
        return self.schema.resolved({} if "patternProperties" in frame.schema else more)

    def _end_frame(self) -> State | None:
        frame = self.frames[-1]
        required = frame.schema.get("required", ())
        if not frame.is_array and isinstance(required, list) and not frame.keys.issuperset(
            required
        ):  # fmt: skip
            return None
        return self._after_value(replace(self, frames=self.frames[:-1]))

    def _after_value(self, state: "SchemaState") -> "SchemaState":
        return replace(state, expect=Expect.MORE, done=not state.frames)

    # endregion


class SchemaOracle:
    """`oracle.Oracle` over one schema."""

    def __init__(self, schema: Schema):
        self._start = SchemaState(schema)
        self._last: tuple[str, State | None] = ("", self._start)

    def open(self, left: str) -> Opening:
        """The state at the end of `left`; quick if it goes on from the last one."""
        left = left.removeprefix("\ufeff")
        if len(left) > MOST_CHARACTERS:
            return _open(f"the file has more than {MOST_CHARACTERS:,} characters: no schema")
        before, state = self._last
        if not left.startswith(before):
            before, state = "", self._start
        if state is not None:
            state = state.feed(left[len(before) :].encode("utf-8", "replace"))
        self._last = (left, state)
        if state is None:
            return _open("what is left of the cursor breaks the schema")
        if isinstance(state, Unconstrained):
            return _open(state.reason)
        return Opening(state, True)


def _open(reason: str) -> Opening:
    return Opening(Unconstrained(reason), False, reason)
