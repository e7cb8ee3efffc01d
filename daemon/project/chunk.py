"""A chunk: a definition's text as a model is shown it.

Headers, the first line of what is said about them, and of a class what its users call; no bodies.
Small chunks are worth as much as whole definitions (docs/decisions/project.md), and many fit.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import indent

from ..workspace.language import COMMENTS
from .outline import Definition

BRIEF_LINES, LONG_LINES = 3, 12
MOST_COLUMNS = 200  # of a line
CONSTRUCTORS = ("__init__", "__new__", "constructor", "__construct", "initialize", "new", "init")
SHOWN_WHOLE = ("type", "enum", "constant", "variable", "field", "property", "macro")
WITH_MEMBERS = ("class", "interface", "struct", "trait", "protocol", "object", "module", "record")
HIDDEN = re.compile(r"\s*(?:private|protected|internal|#|static\s+#)\b")
FIELD = re.compile(r"(?:(?:public|readonly|static|pub|val|var)\s+)*[^\W\d]\w*\s*\??\s*[:]\s*\S")
NO_FIELD = re.compile(r"(?:def|class|return|if|else|elif|for|while|with|case|default|try|pass)\b")


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text` begins with its path as a comment and ends with an empty line."""

    path: str
    line: int
    name: str
    text: str


def chunk(definition: Definition, members: Iterable[Definition], most_lines: int) -> Chunk:
    """What is shown of a definition, in `most_lines` beside the path. `members` are of its file;
    only those that stand in it count."""
    own = [m for m in members if m.container == definition.name and m is not definition]
    lines = [line[:MOST_COLUMNS].rstrip() for part in _parts(definition, own) for line in part]
    place = definition.path if not definition.container else _member_place(definition)
    text = "\n".join([_comment(place, definition.language), *lines[:most_lines], "", ""])
    return Chunk(definition.path, definition.line, definition.name, text)


def _member_place(definition: Definition) -> str:
    return f"{definition.path}: {definition.container}"


def _parts(definition: Definition, members: list[Definition]) -> Iterator[list[str]]:
    """Lines that are shown, what matters most first."""
    if definition.kind in SHOWN_WHOLE or not definition.signature:
        yield definition.source.split("\n")
        return
    yield from _header(definition)
    if definition.kind not in WITH_MEMBERS:
        return
    yield from _indented(m for m in members if m.name in CONSTRUCTORS)
    fields = [m for m in members if m.kind in SHOWN_WHOLE and _is_public(m)]
    yield from _indented(fields) if fields else [_fields(definition)]
    yield from _indented(
        m
        for m in members
        if m.name not in CONSTRUCTORS and m.kind not in SHOWN_WHOLE and _is_public(m)
    )


def _header(definition: Definition) -> Iterator[list[str]]:
    """The signature and what is said of it: inside in Python, above elsewhere."""
    signature = definition.signature.split("\n")
    if not definition.doc:
        yield signature
    elif definition.language == "python":
        yield signature
        yield [f'    """{definition.doc}"""']
    else:
        yield [_comment(definition.doc, definition.language), *signature]


def _indented(members: Iterable[Definition]) -> Iterator[list[str]]:
    for member in members:
        text = member.signature or member.source
        yield indent(text, "    ").split("\n")


def _fields(definition: Definition) -> list[str]:
    """Lines that declare a field of a class, from its first lines as written."""
    lines = definition.source.split("\n")[definition.signature.count("\n") + 1 :]
    depth = min((_width(line) for line in lines if line.strip(" \t})")), default=0)
    return [
        line
        for line in lines
        if depth
        and _width(line) == depth
        and FIELD.match(line, depth)
        and not NO_FIELD.match(line, depth)
        and line[depth] not in "_#"
    ]


def _is_public(member: Definition) -> bool:
    return member.name[:1] not in "_#" and not HIDDEN.match(member.signature or member.source)


def _width(line: str) -> int:
    return len(line) - len(line.lstrip())


def _comment(text: str, language: str) -> str:
    marks = COMMENTS.get(language) or ("#",)
    return f"{marks[0]} {text}"
