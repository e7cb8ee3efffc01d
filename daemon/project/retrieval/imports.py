"""The files of a project that a module name may mean, by names alone: nothing is read.

Every language has its own rules, and the settings that bend them (search paths, aliases, module
files) are not read either: what they mostly say is tried, nearest to the importing file first.
"""

import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from posixpath import basename, dirname, join, normpath, splitext
from typing import Protocol

from ..outline import Import

MOST = 8  # files that one import may mean; a Go package has more, but rarely more that matter
SCRIPTS = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte")
COMPILED = (".js", ".jsx", ".mjs", ".cjs")  # what is imported under its name after compiling
GO_WORDS = """
archive bufio bytes cmp compress container context crypto database debug embed encoding errors
expvar flag fmt go hash html image index io iter log maps math mime net os path plugin reflect
regexp runtime slices sort strconv strings structs sync syscall testing text time unicode unique
unsafe
"""
GO_LIBRARY = frozenset(GO_WORDS.split())  # what comes with the language, by its first part


class Files(Protocol):
    """The names of a project's files: paths relative to its root, with slashes."""

    def has(self, path: str) -> bool: ...

    def ending(self, tail: str) -> Collection[str]:
        """Paths that are `tail`, or end with it behind a slash."""
        ...

    def within(self, folder: str) -> Collection[str]:
        """Paths of the files right in a folder; the root's is ""."""
        ...


Rule = Callable[[Import, str, Files], Iterable[str]]


def resolve(imported: Import, path: str, language: str, files: Files) -> list[str]:
    """The project's files that an import in `path` may mean, likeliest first, and the files of
    submodules that it names. Empty for what is not the project's own."""
    found = dict.fromkeys(RULES[language](imported, path, files) if language in RULES else ())
    found.pop(path, None)
    return list(found)[:MOST]


def above(path: str) -> list[str]:
    """The folders that a file is in, the innermost first and the root, "", last."""
    folders = [dirname(path)]
    while folders[-1]:
        folders.append(dirname(folders[-1]))
    return folders


# region Python, Ruby, Lua
def _python(imported: Import, path: str, files: Files) -> Iterator[str]:
    module = imported.module.lstrip(".")
    dots = len(imported.module) - len(module)
    tail = module.replace(".", "/")
    if dots:
        folders = above(path)
        if dots > len(folders):
            return
        bases = [join(folders[dots - 1], tail)]
    elif tail.partition("/")[0] in sys.stdlib_module_names:
        return
    else:
        bases = [join(f, src, tail) for f in above(path) for src in ("", "src")]
    for base in bases:
        found = list(_python_module(base.rstrip("/"), imported, files))
        if found:
            yield from found
            return
    if not dots and "/" in tail:  # a package root that the file is not in
        for ending in (f"{tail}.py", f"{tail}/__init__.py"):
            for at in _nearest(files.ending(ending), path):
                yield from _python_module(_without(at, ending) + tail, imported, files)


def _python_module(base: str, imported: Import, files: Files) -> Iterator[str]:
    """The file of a module, and those of the submodules that are imported from it by name."""
    modules = [f"{base}.py", f"{base}.pyi"] if base else []
    modules.append(join(base, "__init__.py"))
    if files.within(base):
        for name, _ in imported.names:
            modules += [join(base, f"{name}.py"), join(base, name, "__init__.py")]
    return filter(files.has, modules)


def _required(extension: str, separator: str) -> Rule:
    """By a path without its extension, from the file's folder or from anywhere."""

    def rule(imported: Import, path: str, files: Files) -> Iterator[str]:
        tail = imported.module.replace(separator, "/").removesuffix(extension) + extension
        beside = normpath(join(dirname(path), tail))
        if files.has(beside):
            yield beside
        elif not tail.startswith("."):
            yield from _nearest(files.ending(tail), path)

    return rule


# endregion
# region TypeScript, JavaScript
def _script(imported: Import, path: str, files: Files) -> Iterator[str]:
    module = imported.module
    if module.startswith("."):
        base = normpath(join(dirname(path), module))
        yield from _script_module("" if base == "." else base, files)
        return
    # "@/store" and "~/store" are aliases of a source folder nearly everywhere
    tail = module.lstrip("@~#$").lstrip("/")
    if tail == module and "/" not in tail:  # a package's bare name
        return
    tails = [tail, tail.partition("/")[2]] if module[:1] == "@" and module[:2] != "@/" else [tail]
    for folder in above(path):
        for base in (join(folder, src, t) for t in tails if t for src in ("", "src")):
            if found := list(_script_module(base, files)):
                yield from found
                return


def _script_module(base: str, files: Files) -> Iterator[str]:
    stem, extension = splitext(base)
    names = [base] if extension else []
    if extension in COMPILED:
        names += [stem + each for each in SCRIPTS[:5]]
    names += [base + each for each in SCRIPTS] if base else []
    names += [join(base, "index" + each) for each in SCRIPTS]
    return filter(files.has, names)


# endregion
# region Go
def _go(imported: Import, path: str, files: Files) -> Iterator[str]:
    parts = imported.module.split("/")
    if parts[0] in GO_LIBRARY:
        return
    for first in range(len(parts)):
        for folder in above(path):
            inside = files.within(join(folder, *parts[first:]))
            if package := [each for each in inside if each.endswith(".go")]:
                yield from sorted((p for p in package if not p.endswith("_test.go")), key=len)
                return


# endregion
# region Rust
def _rust(imported: Import, path: str, files: Files) -> Iterator[str]:
    parts = imported.module.split("::")
    bases = []
    match parts[0]:
        case "crate":
            bases = [_crate(path, files)]
            parts = parts[1:]
        case "self" | "super":
            base = _children(path)
            while parts and parts[0] in ("self", "super"):
                base = dirname(base) if parts.pop(0) == "super" else base
            bases = [base]
        case name:
            bases = [_children(path), _crate(path, files)]
            if not any(_rust_file(join(base, name), files) for base in bases):
                crates = (name, name.replace("_", "-"))
                libraries = [p for n in crates for p in files.ending(f"{n}/src/lib.rs")]
                bases, parts = [dirname(p) for p in _nearest(libraries, path)], parts[1:]
    for base in bases:
        for last in range(len(parts), -1, -1):  # the last parts may be items in a module
            module = join(base, *parts[:last])
            names = [name for name, _ in imported.names] + parts[last : last + 1]
            inner = [p for n in names for p in _rust_file(join(module, n), files)]
            if found := [*_rust_file(module, files), *inner]:
                yield from found
                return


def _rust_file(module: str, files: Files) -> list[str]:
    """The file of a module that is named like the folder of its children."""
    names = (f"{module}.rs", *(join(module, n) for n in ("mod.rs", "lib.rs", "main.rs")))
    return [name for name in names if files.has(name)][:1]


def _children(path: str) -> str:
    """The folder of the modules in a file's module."""
    if basename(path) in ("mod.rs", "lib.rs", "main.rs"):
        return dirname(path)
    return splitext(path)[0]


def _crate(path: str, files: Files) -> str:
    """The folder of a crate's outermost module."""
    for folder in above(path):
        if files.has(join(folder, "lib.rs")) or files.has(join(folder, "main.rs")):
            return folder
    return next((f for f in above(path) if basename(f) == "src"), dirname(path))


# endregion
# region C, and languages with a file for each class
def _include(imported: Import, path: str, files: Files) -> Iterator[str]:
    beside = normpath(join(dirname(path), imported.module))
    if files.has(beside):
        yield beside
    elif not imported.module.startswith("."):
        yield from _nearest(files.ending(normpath(imported.module)), path)[:2]


def _by_class(separator: str, *extensions: str) -> Rule:
    """By as much of a qualified name's end as there is a file for."""

    def rule(imported: Import, path: str, files: Files) -> Iterator[str]:
        parts = [part for part in imported.module.split(separator) if part]
        for qualified in [[*parts, name] for name, _ in imported.names] + [parts]:
            for first in range(len(qualified)):
                tails = ["/".join(qualified[first:]) + each for each in extensions]
                if found := [p for tail in tails for p in files.ending(tail)]:
                    yield from _nearest(found, path)[:2]
                    break

    return rule


# endregion
def _nearest(paths: Iterable[str], path: str) -> list[str]:
    """Those that share most folders with `path` first, then the shortest."""
    folders = dirname(path).split("/")

    def rank(other: str) -> tuple[int, int, str]:
        shared = 0
        for here, there in zip(folders, dirname(other).split("/"), strict=False):
            if here != there:
                break
            shared += 1
        return -shared, len(other), other

    return sorted(set(paths), key=rank)


def _without(path: str, ending: str) -> str:
    return path[: len(path) - len(ending)]


RULES: dict[str, Rule] = {
    "python": _python,
    "ruby": _required(".rb", "/"),
    "lua": _required(".lua", "."),
    "typescript": _script,
    "typescriptreact": _script,
    "javascript": _script,
    "javascriptreact": _script,
    "go": _go,
    "rust": _rust,
    "c": _include,
    "cpp": _include,
    "java": _by_class(".", ".java", ".kt"),
    "kotlin": _by_class(".", ".kt", ".java"),
    "csharp": _by_class(".", ".cs"),
    "php": _by_class("\\", ".php"),
}
