"""Texts and the independent judges: tree-sitter's own parser, and CPython's."""

import ast
import gzip
import importlib
import json
import random
import sysconfig
from pathlib import Path

import tree_sitter

from keyturn.daemon.language import language_of
from keyturn.models.grammar.languages import GRAMMARS

DATA = Path(__file__).parents[2] / "data"
SAMPLES = sorted((DATA / "grammar").glob("*.*"))


def read(path: Path) -> str:
    """A file's text with its line endings as they are."""
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def sample(language: str) -> str:
    """The sample file of a language."""
    return next(read(path) for path in SAMPLES if language_of(path.name).id == language)


def library_files(count: int, seed: int) -> list[Path]:
    """Python files of the standard library, the same ones for a seed."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    return random.Random(seed).sample(files, count)


def tree_sitter_accepts(language: str, text: str) -> bool:
    """Whether tree-sitter's own parser finds nothing wrong with `text`."""
    grammar = GRAMMARS[language]
    capsule = getattr(importlib.import_module(grammar.module), grammar.function)()
    parser = tree_sitter.Parser(tree_sitter.Language(capsule))
    return not parser.parse(text.encode()).root_node.has_error


def python_accepts(text: str) -> bool:
    """Whether CPython's parser takes `text`."""
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def infilling(name: str) -> list[dict[str, str]]:
    """The problems of a HumanEval-Infilling file; keys prompt, suffix, canonical_solution."""
    with gzip.open(DATA / "human-eval-infilling" / f"HumanEval-{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]
