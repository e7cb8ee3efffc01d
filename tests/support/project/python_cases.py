"""Cases of installed Python packages, read by Python's own parser."""

import ast
import importlib.util
import random
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from .case import LEAST_LINE, MOST_FILE_BYTES, MOST_FILES, Case, Definition, cut, in_turns

PACKAGES = (
    *("transformers", "huggingface_hub", "pygls", "cattrs", "pytest_lsp", "playwright"),
    *("hypothesis", "accelerate", "safetensors", "llguidance", "watchdog", "click", "lsprotocol"),
    *("xdist", "networkx", "jsonschema", "filelock", "tiktoken"),
)

Symbol = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def cases(most: int) -> Iterator[Case]:
    """Every package's in turns, each file at most once; always the same ones in the same order."""
    draw = random.Random(7)
    streams = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.submodule_search_locations:
            root = Path(next(iter(spec.submodule_search_locations)))
            streams.append(_of_package(name, root, random.Random(draw.random())))
    return in_turns(streams, most)


def _of_package(name: str, root: Path, draw: random.Random) -> Iterator[Case]:
    files = [
        path
        for path in sorted(root.rglob("*.py"))
        if "test" not in path.name and path.stat().st_size < MOST_FILE_BYTES
    ]
    draw.shuffle(files)
    for path in files[:MOST_FILES]:
        if case := _of_file(name, root, path, draw):
            yield case


def _of_file(package: str, root: Path, path: Path, draw: random.Random) -> Case | None:
    tree, text = _parsed(path)
    if tree is None:
        return None
    found: dict[str, Definition] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if definition := _resolved(root, package, path, node, alias.name):
                    found[alias.asname or alias.name] = definition
    calls = [
        (node.lineno - 1, node.func.id)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in found
        and node.end_lineno == node.lineno > LEAST_LINE
    ]
    if len(found) < 2 or not calls:
        return None
    number, callee = draw.choice(calls)
    if (parts := cut(text, number, callee, draw)) is None:
        return None
    kind, before, after, wanted = parts
    others = (d for name, d in found.items() if name != callee)
    return Case(
        *(package, root.parent, str(path.relative_to(root.parent)), "python", number),
        *(kind, before, after, wanted, callee, (*others, found[callee])),
    )


def _resolved(
    root: Path, package: str, path: Path, node: ast.ImportFrom, name: str
) -> Definition | None:
    """Where an import of the same package leads, if it is to a function or a class."""
    parts = path.relative_to(root).with_suffix("").parts
    if node.level:
        folder = root.joinpath(*parts[: max(0, len(parts) - node.level)])
        module = folder.joinpath(*(node.module.split(".") if node.module else []))
    elif node.module and node.module.split(".")[0] == package:
        module = root.joinpath(*node.module.split(".")[1:])
    else:
        return None
    for candidate in (module.with_suffix(".py"), module / "__init__.py", module / f"{name}.py"):
        if candidate != path and candidate.is_file():
            tree, text = _parsed(candidate)
            for symbol in tree.body if tree else ():
                if isinstance(symbol, Symbol) and symbol.name == name:
                    source = ast.get_source_segment(text, symbol) or ""
                    return Definition(name, str(candidate.relative_to(root.parent)), source)
    return None


@lru_cache(500)
def _parsed(path: Path) -> tuple[ast.Module | None, str]:
    try:
        text = path.read_text(encoding="utf-8")
        return ast.parse(text), text
    except (OSError, SyntaxError, ValueError):
        return None, ""
