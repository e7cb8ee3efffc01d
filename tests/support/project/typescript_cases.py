"""Cases of TypeScript packages that ship their sources, read by tree-sitter."""

import random
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from functools import cache, lru_cache
from os.path import normpath
from pathlib import Path

import tree_sitter
import tree_sitter_typescript

from .case import LEAST_LINE, MOST_FILE_BYTES, MOST_FILES, Case, Definition, cut, in_turns

PACKAGES = (
    *("alchemy@0.94.0", "ai@6.0.326", "@assistant-ui/react@0.15.22", "@tanstack/db@0.15.2"),
    *("@tanstack/router-core@1.171.39", "ox@1.8.3", "@trpc/server@11.25.2", "effect@4.1.0"),
    *("@livekit/agents@1.9.0", "convex@1.48.0", "@convex-dev/agent@0.6.4", "zod@4.6.7"),
    *("@wagmi/core@3.6.5", "@ai-sdk/provider-utils@4.0.66"),
)
FOLDER = Path(tempfile.gettempdir(), "keyturn-typescript-packages")
NO_SOURCES = ("test", "spec", "node_modules", ".d.ts", "bench", "example")
DEFINITIONS = (
    *("function_declaration", "class_declaration", "abstract_class_declaration"),
    *("function_signature", "lexical_declaration"),
)
MOST_DEEP = 3  # files that a re-exported name is followed through


def cases(most: int, folder: Path = FOLDER, packages: tuple[str, ...] = PACKAGES) -> Iterator[Case]:
    """Every package's in turns, each file at most once; always the same ones in the same order.
    Packages that are not in the folder are fetched by npm."""
    draw = random.Random(7)
    roots = [(name, _fetched(name, folder)) for name in packages]
    streams = [_of_package(n, folder, root, random.Random(draw.random())) for n, root in roots]
    return in_turns(streams, most)


def _fetched(name: str, folder: Path) -> Path:
    """A package's folder; what is in its archive, and nothing of it run."""
    root = folder / name.strip("@").replace("/", "-").replace("@", "-")
    if not root.is_dir():
        with tempfile.TemporaryDirectory() as packed:
            command = ["npm", "pack", "--silent", "--pack-destination", packed, name]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            (archive,) = Path(packed).iterdir()
            with tarfile.open(archive) as files:
                files.extractall(root, filter="data")
    return root


def _of_package(name: str, folder: Path, root: Path, draw: random.Random) -> Iterator[Case]:
    files = [
        path
        for path in sorted(root.rglob("*.ts"))
        if path.is_file()
        and not any(word in str(path.relative_to(root)) for word in NO_SOURCES)
        and path.stat().st_size < MOST_FILE_BYTES
    ]
    draw.shuffle(files)
    for path in files[:MOST_FILES]:
        if case := _of_file(name, folder, path, draw):
            yield case


def _of_file(package: str, folder: Path, path: Path, draw: random.Random) -> Case | None:
    tree, text = _parsed(path)
    found: dict[str, Definition] = {}
    for name, here, module in _imported(tree):
        if definition := _resolved(folder, path, module, name, MOST_DEEP):
            found[here] = definition
    calls = [
        (node.start_point.row, callee)
        for node in _walk(tree)
        if (callee := _callee(node)) in found
        and node.start_point.row == node.end_point.row >= LEAST_LINE
    ]
    if len(found) < 2 or not calls:
        return None
    number, callee = draw.choice(calls)
    if (parts := cut(text, number, callee, draw)) is None:
        return None
    kind, before, after, wanted = parts
    others = (d for name, d in found.items() if name != callee)
    return Case(
        *(package, folder, str(path.relative_to(folder)), "typescript", number),
        *(kind, before, after, wanted, callee, (*others, found[callee])),
    )


def _callee(node: tree_sitter.Node) -> str:
    field = {"call_expression": "function", "new_expression": "constructor"}.get(node.type)
    callee = node.child_by_field_name(field) if field else None
    return _text(callee) if callee and callee.type == "identifier" else ""


def _imported(tree: tree_sitter.Node) -> Iterator[tuple[str, str, str]]:
    """Name there, name here, module: of what is imported by name from a relative module."""
    for node in tree.named_children:
        if node.type == "import_statement" and (module := _module(node)):
            if "import type" in _text(node)[:11]:
                continue
            for each in _walk(node):
                if each.type == "import_specifier":
                    name = _text(each.child_by_field_name("name"))
                    yield name, _text(each.child_by_field_name("alias")) or name, module


def _resolved(folder: Path, path: Path, module: str, name: str, deep: int) -> Definition | None:
    """Where a name of a relative module leads, if it is to a function or a class."""
    near = Path(normpath(path.parent / module))
    target = next((p for p in _files(near) if p.is_file() and p != path), None)
    if target is None:
        return None
    tree, _ = _parsed(target)
    further = []
    for node in tree.named_children:
        declared = node.child_by_field_name("declaration") or node
        if declared.type in DEFINITIONS and _defined(declared) == name:
            return Definition(name, str(target.relative_to(folder)), _text(node))
        if node.type == "export_statement" and (source := _module(node)):
            names = [each for each in _walk(node) if each.type == "export_specifier"]
            for each in names:
                alias = each.child_by_field_name("alias") or each.child_by_field_name("name")
                if _text(alias) == name:
                    further.append((source, _text(each.child_by_field_name("name"))))
            if not names and "* as" not in _text(node):
                further.append((source, name))
    for source, there in further if deep else ():
        if found := _resolved(folder, target, source, there, deep - 1):
            return found
    return None


def _defined(node: tree_sitter.Node) -> str:
    """The name of what is declared; of a constant if it is a function."""
    if node.type != "lexical_declaration":
        return _text(node.child_by_field_name("name"))
    declarator = node.named_children[0]
    value = declarator.child_by_field_name("value")
    is_function = value is not None and value.type in ("arrow_function", "function_expression")
    return _text(declarator.child_by_field_name("name")) if is_function else ""


def _files(module: Path) -> Iterator[Path]:
    yield module
    if module.suffix in (".js", ".mjs"):
        yield module.with_suffix(".ts")
    yield module.with_name(module.name + ".ts")
    yield module / "index.ts"


def _module(node: tree_sitter.Node) -> str:
    source = node.child_by_field_name("source")
    name = _text(source).strip("\"'`")
    return name if name.startswith(".") else ""


def _walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    waiting = [node]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.named_children))


def _text(node: tree_sitter.Node | None) -> str:
    return node.text.decode(errors="replace") if node and node.text else ""


@lru_cache(2_000)
def _parsed(path: Path) -> tuple[tree_sitter.Node, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        text = ""
    return _parser().parse(text.encode()).root_node, text


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_typescript.language_typescript()))
