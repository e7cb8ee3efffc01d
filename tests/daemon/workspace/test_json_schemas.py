"""Which JSON file follows which schema, and what it takes to complete under one."""

import json
from pathlib import Path

import pytest

from keyturn.api.request import CompletionOptions
from keyturn.cache.errors import InputError
from keyturn.daemon.completion.completer import Completer, CompleterOptions
from keyturn.daemon.completion.request import InfillRequest
from keyturn.daemon.config import load_config
from keyturn.daemon.workspace.json_schemas import SchemaRule, schema_of, schema_rule
from support.daemon.model_engines import tiny_loaded


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/home/a/package.json", "npm"),
        ("package.json", "npm"),
        ("/home/a/.config/x.json", "config"),
        (".config/x.json", "config"),
        ("/home/a/.config/deep/x.json", "rest"),
        ("", "rest"),
    ],
)
def test_the_first_rule_that_matches_counts(path: str, file: str):
    rules = [schema_rule(t) for t in ("package.json=npm", ".config/?.json=config", "*=rest")]
    assert schema_of(path, rules) == file
    assert schema_of(path, []) == ""


@pytest.mark.parametrize("text", ["", "a", "=a", "a="])
def test_a_rule_names_a_glob_and_a_file(text: str):
    with pytest.raises(InputError, match="GLOB=FILE"):
        schema_rule(text)


def test_the_configuration_has_rules_and_says_which_are_wrong(tmp_path: Path):
    (tmp_path / "config.toml").write_text('[model]\njson_schemas = ["a.json=b", "c"]\n')
    config = load_config(workspace=tmp_path, environment={}, user_folder=tmp_path)
    assert config.model.json_schemas == ()
    assert any("'c' names no schema" in problem for problem in config.problems)
    (tmp_path / "config.toml").write_text('[model]\njson_schemas = ["a.json=b"]\n')
    config = load_config(workspace=tmp_path, environment={}, user_folder=tmp_path)
    assert config.model.json_schemas == ("a.json=b",)


def test_a_completion_follows_the_schema(tmp_path: Path):
    schema = {"properties": {"x": {"enum": ["left", "right"]}}, "additionalProperties": False}
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    engine = Completer(
        tiny_loaded(), CompleterOptions(json_schemas=(SchemaRule("*.json", str(file)),))
    )
    done = engine.complete(
        InfillRequest('{"x": "', '"}\n', "a.json", CompletionOptions(max_tokens=8))
    )
    assert done.meta.grammar.mode != "off", done.meta.grammar
    assert done.text in ("left", "right", "")
    assert done.meta.grammar.refused > 0
    free = engine.complete(
        InfillRequest('{"x": "', '"}\n', "a.py", CompletionOptions(max_tokens=8))
    )
    assert free.text not in ("left", "right")
