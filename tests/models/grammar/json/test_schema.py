"""JSON under a schema, judged by the jsonschema package, which knows nothing of ours."""

import builtins
import json
import os
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.models.grammar.errors import GrammarError
from keyturn.models.grammar.isolate import GrammarProcess
from keyturn.models.grammar.json.rules import Schema
from keyturn.models.grammar.json.schema import SchemaOracle
from keyturn.models.grammar.oracle import Opening, State, Unconstrained

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 5},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "kind": {"enum": ["cat", "cow", 3, None, True]},
        "code": {"type": "string", "pattern": "^[a-z]+-[0-9]{2}$"},
        "tags": {"type": "array", "items": {"$ref": "#/definitions/tag"}},
        "home": {"$ref": "#/definitions/home"},
        "free": {},
        "share": {"type": ["number", "null"], "exclusiveMaximum": 1},
    },
    "required": ["name"],
    "additionalProperties": False,
    "definitions": {
        "tag": {"const": "x"},
        "home": {
            "type": "object",
            "additionalProperties": {"type": "boolean"},
            "required": ["warm"],
        },
    },
}


def state_after(text: str, schema: Any = PERSON) -> State | None:
    return SchemaOracle(Schema(schema)).open("").state.feed(text.encode())


def accepts(text: str, schema: Any = PERSON) -> bool:
    state = state_after(text, schema)
    return state is not None and state.can_finish()


def valid(value: Any, schema: Any = PERSON) -> bool:
    return jsonschema.Draft7Validator(schema).is_valid(value)


values = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 200), st.floats(-2, 2), st.sampled_from(
        ["cat", "cow", "x", "ab-12", "ab-1", "é\n", "", "toolong", "12345"]))  # fmt: skip
homes = st.dictionaries(st.sampled_from(["warm", "wet"]), values, max_size=2)
fields = st.one_of(values, homes, st.lists(st.sampled_from(["x", "y", 1]), max_size=3))
people = st.dictionaries(
    st.sampled_from([*PERSON["properties"], "nam", "other"]), fields, max_size=5
)


@settings(max_examples=150, deadline=None)
@given(person=people, indent=st.sampled_from([None, 2]), escaped=st.booleans())
def test_what_is_valid_is_taken_and_what_is_not_is_refused(
    person: dict[str, Any], indent: int | None, escaped: bool
):
    text = json.dumps(person, indent=indent, ensure_ascii=escaped)
    if valid(person):
        assert accepts(text), text
        assert accepts(text + "\n")
    elif "\\" not in text:  # what is escaped is not looked into
        assert not accepts(text), text


@settings(max_examples=60, deadline=None)
@given(person=people, data=st.data())
def test_every_beginning_of_what_is_valid_can_go_on(person: dict[str, Any], data: st.DataObject):
    if not valid(person):
        return
    text = json.dumps(person, indent=1, ensure_ascii=False).encode()
    cut = data.draw(st.integers(0, len(text)))
    whole = SchemaOracle(Schema(PERSON)).open(text[:cut].decode(errors="ignore"))
    state: State | None = whole.state
    at = len(text[:cut].decode(errors="ignore").encode())
    while at < len(text):
        size = data.draw(st.integers(1, 9))
        assert state is not None
        state = state.feed(text[at : at + size])
        at += size
    assert state is not None
    assert state.can_finish()


@pytest.mark.parametrize("order", range(6))
def test_keys_may_come_in_any_order(order: int):
    person = [("name", "abc"), ("age", 3), ("kind", "cow"), ("free", [1, {"a": {}}])]
    random.Random(order).shuffle(person)
    assert accepts(json.dumps(dict(person)))


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ('{"n', "o"),
        ('{"name"', ': 3'),
        ('{"name": "a', '"'),
        ('{"name": "abcde', "f"),
        ('{"name": "abc", "kind": "c', "u"),
        ('{"name": "abc", "age": 15', "1"),
        ('{"name": "abc", "home": {"warm": ', "n"),
        ('{"name": "abc", "home": {"wet": true', "}"),
        ('{"name": "abc", "tags": ["x", "', "y"),
        ('{"age": 3', "}"),
        ("", "["),
    ],
)  # fmt: skip
def test_a_break_of_the_schema_is_seen_where_it_begins(text: str, refused: str):
    state = state_after(text)
    assert state is not None
    assert state.feed(refused.encode()) is None


def test_right_of_the_cursor_counts_too():
    state = state_after('{"name": "abc", ')
    assert state is not None
    pieces = ('"age": 3,\n', '"agx": 4\n', "}\n")
    assert state.reach(pieces, finish=True) == 1
    assert state.reach(('"age": 3,\n', '"kind": null\n', "}\n"), finish=True) == 4


@pytest.mark.parametrize(
    "schema",
    [
        {"anyOf": [{"type": "string"}, {"type": "number"}]},
        {"$ref": "https://example.org/other.json"},
        {"$ref": "#/nowhere"},
        {"$ref": "#"},
        {"patternProperties": {"^x": {"type": "string"}}, "additionalProperties": False},
        {"type": "string", "pattern": "(?<=a)b"},
        {"format": "email", "type": "string"},
        {"items": [{"type": "string"}]},
        {"type": "integer", "exclusiveMinimum": True, "minimum": 2},
        True,
    ],
)
def test_what_is_not_understood_lets_everything_pass(schema: Any):
    texts = ['{"x": 1, "y": [2]}', "[1, {}]", '"ab"', "3"]
    assert all(accepts(text, schema) for text in texts if valid_type(text, schema))


def valid_type(text: str, schema: Any) -> bool:
    only = {"type": schema["type"]} if isinstance(schema, dict) and "type" in schema else {}
    return valid(json.loads(text), only)


def test_a_schema_that_allows_nothing_refuses_everything():
    assert state_after("1", False) is None


def test_whole_numbers_may_be_written_with_a_point():
    assert accepts("3.0", {"type": "integer", "minimum": 2})
    assert not accepts("3.5", {"type": "integer"})
    assert accepts("1e2", {"enum": [100]})
    assert not accepts("1", {"enum": [True]})


def test_comments_are_no_business_of_the_schema():
    state = state_after("{ // a comment")
    assert isinstance(state, Unconstrained)


def test_opening_again_goes_on_from_before_and_a_break_is_named():
    oracle = SchemaOracle(Schema(PERSON))
    assert oracle.open('{"name": "abc"').state.feed(b"}") is not None
    longer = oracle.open('{"name": "abc", "age": 1')
    assert longer.state.feed(b"x") is None or longer.constrained
    broken = oracle.open('{"nome": ')
    assert broken == Opening(
        Unconstrained("what is left of the cursor breaks the schema"),
        False,
        "what is left of the cursor breaks the schema",
    )
    assert oracle.open('{"name": "abc"').constrained


def test_in_the_worker_a_schema_refuses_what_the_grammar_does_not(tmp_path: Path):
    file = tmp_path / "person.schema.json"
    file.write_text(json.dumps(PERSON))
    process = GrammarProcess()
    try:
        free = process.oracle("a.json", "json").open('{"name": ')
        held = process.oracle("b.json", "json", str(file)).open('{"name": ')
        assert free.state.feed(b"3") is not None
        assert held.constrained
        assert held.state.feed(b"3") is None
        assert held.state.feed(b'"abc"]') is None  # the grammar's part
        assert held.state.feed(b'"abc", "age": 3') is not None
        file.write_text("{}")  # is read again
        os.utime(file, ns=(1, 1))
        assert process.oracle("b.json", "json", str(file)).open('{"name": ').state.feed(b"3")
        missing = process.oracle("c.json", "json", str(tmp_path / "none")).open("{")
        assert missing.constrained
        assert "cannot be read" in missing.reason
        assert missing.state.feed(b"]") is None
    finally:
        process.close()


def test_without_llguidance_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "llguidance":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(GrammarError, match=r"pip install 'keyturn\[json-schema\]'"):
        Schema({})
