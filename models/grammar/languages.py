"""Languages: the wheel of each grammar, and the rules that go with it.

Language ids are the editors' (LSP's). Each grammar is its own small wheel, `tree-sitter-<name>`,
imported when a file of that language is first completed; one that is not listed here is used too
if it is installed under the usual name.
"""

import importlib
import importlib.util
import json
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import GrammarError
from .json.rules import Schema
from .json.schema import SchemaOracle
from .oracle import BothOracles, Oracle, Unavailable
from .treesitter.automaton import Automaton
from .treesitter.left_context import LeftContext
from .treesitter.python_strict import PythonRules
from .treesitter.tables import LanguageTables


@dataclass(frozen=True, slots=True)
class Grammar:
    """Where a language's tables are, and how its text behaves."""

    module: str
    function: str = "language"
    layout: bool = False  # blocks are made by indentation, so brackets in lost lines don't count
    python: bool = False


GRAMMARS = {
    "python": Grammar("tree_sitter_python", layout=True, python=True),
    "javascript": Grammar("tree_sitter_javascript"),
    "javascriptreact": Grammar("tree_sitter_javascript"),
    "typescript": Grammar("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": Grammar("tree_sitter_typescript", "language_tsx"),
    "go": Grammar("tree_sitter_go"),
    "rust": Grammar("tree_sitter_rust"),
    "java": Grammar("tree_sitter_java"),
    "c": Grammar("tree_sitter_c"),
    "cpp": Grammar("tree_sitter_cpp"),
    "csharp": Grammar("tree_sitter_c_sharp"),
    "ruby": Grammar("tree_sitter_ruby"),
    "php": Grammar("tree_sitter_php", "language_php"),
    "shellscript": Grammar("tree_sitter_bash"),
    "json": Grammar("tree_sitter_json"),
    "yaml": Grammar("tree_sitter_yaml", layout=True),
    "toml": Grammar("tree_sitter_toml"),
    "html": Grammar("tree_sitter_html"),
    "css": Grammar("tree_sitter_css"),
    "kotlin": Grammar("tree_sitter_kotlin"),
    "lua": Grammar("tree_sitter_lua"),
    "sql": Grammar("tree_sitter_sql"),
}

SYNONYMS = {"bash": "shellscript", "sh": "shellscript", "c++": "cpp", "c#": "csharp"}


def has_grammar(language: str) -> bool:
    """Whether a grammar for the language id is installed."""
    try:
        return importlib.util.find_spec(_grammar(language).module) is not None
    except GrammarError:
        return False


def load_automaton(language: str) -> Automaton:
    """The automaton of a language id; raises GrammarError saying what is missing."""
    grammar = _grammar(language)
    try:
        module = importlib.import_module(grammar.module)
    except ImportError as error:
        wheel = grammar.module.replace("_", "-")
        raise GrammarError(f"no grammar for {language}: pip install {wheel}") from error
    function = getattr(module, grammar.function, None)
    if function is None:
        raise GrammarError(f"{grammar.module} has no {grammar.function}(): another version of it?")
    tables = LanguageTables(function())
    return Automaton(tables, PythonRules(tables) if grammar.python else None)


def open_oracle(language: str, schema: str = "") -> Oracle:
    """An oracle in this process for one file of a language, which follows the JSON schema in the
    file `schema` if one is named; never raises, see Unavailable."""
    try:
        oracle = LeftContext(
            load_automaton(language), brackets_matter=not _grammar(language).layout
        )
    except GrammarError as error:
        return Unavailable(str(error))
    if not schema:
        return oracle
    try:
        return BothOracles(oracle, SchemaOracle(load_schema(Path(schema))))
    except GrammarError as error:
        return BothOracles(oracle, Unavailable(str(error)))


def load_schema(path: Path) -> Schema:
    """The JSON schema in a file. Raises `GrammarError`."""
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise GrammarError(f"the JSON schema {path} cannot be read: {error}") from error
    if not isinstance(schema, dict | bool):
        raise GrammarError(f"the JSON schema {path} is neither an object nor a boolean")
    return Schema(schema)


def _grammar(language: str) -> Grammar:
    language = SYNONYMS.get(language, language)
    known = GRAMMARS.get(language)
    if known is not None:
        return known
    name = re.sub(r"[^a-z0-9]+", "_", language.lower())
    if not name.strip("_") or importlib.util.find_spec(f"tree_sitter_{name}") is None:
        raise GrammarError(f"no grammar for {language or 'this kind of file'}")
    return Grammar(f"tree_sitter_{name}")
