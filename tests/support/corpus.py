"""Texts and the independent judges: tree-sitter's own parser, and CPython's.

Slow tests read real files: what is installed on the machine, and the folders named in
KEYTURN_CORPUS (separated like PATH), which should hold sources in the languages that a machine
lacks: a few checked-out projects or unpacked source packages. A file counts if its language's own
parser accepts it.
"""

import ast
import gzip
import importlib
import json
import os
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import tree_sitter

from keyturn.daemon.bench._cases import PROBLEMS
from keyturn.daemon.workspace.language import language_of
from keyturn.models.grammar.languages import GRAMMARS

DATA = Path(__file__).parents[1] / "data"
INSTALLED = (sysconfig.get_paths()["stdlib"], "/usr/include", "/usr/share", "/usr/lib/node_modules")
BYTES = range(100, 25_000)  # of a file
TRIED_PER_FILE = 20  # candidates looked at for each file wanted
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


def sources() -> dict[str, list[Path]]:
    """Files with a grammar, by language, in an order that is random but always the same."""
    folders = [*os.environ.get("KEYTURN_CORPUS", "").split(os.pathsep), *INSTALLED]
    found: dict[str, list[Path]] = {language: [] for language in GRAMMARS}
    for folder in filter(None, folders):
        for parent, _, names in os.walk(folder):
            for name in names:
                language = language_of(name).id
                if language in found:
                    found[language].append(Path(parent, name))
    for language, paths in found.items():
        random.Random(language).shuffle(paths)
        paths[:0] = [path for path in SAMPLES if language_of(path.name).id == language]
    return found


def valid_texts(language: str, paths: list[Path], count: int) -> Iterator[tuple[Path, str]]:
    """Up to `count` files that their language's own parser accepts, no two alike."""
    seen: set[str] = set()
    for path in paths[: count * TRIED_PER_FILE]:
        try:
            if path.stat().st_size not in BYTES:
                continue
            text = read(path)
        except (OSError, UnicodeDecodeError):
            continue
        if text in seen or text.startswith("\ufeff") or not tree_sitter_accepts(language, text):
            continue
        if language == "python" and not python_accepts(text):
            continue
        seen.add(text)
        yield path, text
        if len(seen) == count:
            return


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
    with gzip.open(PROBLEMS / f"HumanEval-{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]
