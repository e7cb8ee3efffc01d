"""Definitions and excerpts as chunks: the text that a model is shown of them.

Headers, the first line of what is said about them, and of a class what its users call; no bodies.
Small chunks are worth as much as whole definitions (docs/decisions/project.md), and many fit.
"""

import re
from collections.abc import Iterable, Iterator
from textwrap import indent

from ....api.chunk import Chunk
from ...workspace.language import COMMENTS
from ..outline import Definition
from ..passages import Excerpt

BRIEF_LINES, LONG_LINES = 3, 12
MOST_COLUMNS = 200  # of a line
CONSTRUCTORS = ("__init__", "constructor", "__construct", "initialize", "new")
WITH_MEMBERS = ("class", "interface", "struct", "module")
WITHOUT_BRACES = ("python", "ruby", "lua", "shellscript")
FUNCTIONS = ("function", "method")
COMMENTED = ("//", "/*", "*/", "* ")
HIDDEN = re.compile(r"(?:static\s+)?(?:private|protected)\b")


def chunk(definition: Definition, members: Iterable[Definition], most_lines: int) -> Chunk:
    """What is shown of a definition, in `most_lines` beside the path. `members` are of its file;
    only those that stand in it count."""
    own = [m for m in members if m.container == definition.name and m != definition]
    lines = [line for part in _parts(definition, own) for line in part.split("\n")]
    lines = [line[:MOST_COLUMNS].rstrip() for line in lines[:most_lines]]
    place = definition.path
    if definition.container:
        place += f": {definition.container}"
    text = "\n".join([_comment(place, definition.language), *lines, "", ""])
    return Chunk(definition.path, definition.line, definition.name, text)


def of_excerpt(excerpt: Excerpt) -> Chunk:
    """As it is written, without empty lines around it. It has no name."""
    lines = excerpt.text.rstrip().split("\n")
    while lines and not lines[0].strip():
        lines.pop(0)
    text = "\n".join([_comment(excerpt.path, excerpt.language), *lines, "", ""])
    return Chunk(excerpt.path, excerpt.line, "", text)


def _parts(definition: Definition, members: list[Definition]) -> Iterator[str]:
    """What is shown, the most important first."""
    in_python = definition.language == "python"
    if definition.doc and not in_python:
        yield _comment(definition.doc, definition.language)
    lines = range(definition.line, definition.end_line + 1)
    inner = [m for m in members if m.line in lines]
    has_members = definition.kind in WITH_MEMBERS and (inner or in_python)
    if not has_members and definition.kind not in FUNCTIONS:
        yield _without_comments(definition)
    else:
        braces = has_members and definition.language not in WITHOUT_BRACES
        yield definition.signature + " {" * bool(braces)
        if definition.doc and in_python:
            yield f'    """{definition.doc}"""'
        for member in _public(inner):
            yield indent(member.signature, "    ")
        if braces:
            yield "}"
    for member in _public([m for m in members if m.line not in lines]):  # as in Go and Rust
        yield member.signature


def _without_comments(definition: Definition) -> str:
    """The first lines as written; in languages with braces comments take most of a long type."""
    lines = definition.source.split("\n")
    if definition.language not in WITHOUT_BRACES:
        lines = [line for line in lines if not line.lstrip().startswith(COMMENTED)]
    return "\n".join(lines)


def _public(members: list[Definition]) -> list[Definition]:
    """Constructors, then fields, then what else is called from outside."""
    shown = [m for m in members if m.name in CONSTRUCTORS or _is_public(m)]
    return sorted(shown, key=lambda m: (m.name not in CONSTRUCTORS, m.kind != "field"))


def _is_public(member: Definition) -> bool:
    return member.name[:1] not in "_#" and not HIDDEN.match(member.signature)


def _comment(text: str, language: str) -> str:
    marks = COMMENTS.get(language) or ("#",)
    return f"{marks[0]} {text}"
