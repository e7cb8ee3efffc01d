"""The outline of one file: what it defines, what it imports, which names it uses. Plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Definition:
    """Something with a name that other files may use. Texts are dedented, lines end in a line feed
    and the last one without."""

    path: str  # of its file, relative to the project's root, with slashes
    language: str  # as editors name it
    name: str
    kind: str  # "function", "method", "class", "interface", "type", "module", "constant", …
    container: str  # the name of what it stands in, a class for example; "" at the top of a file
    line: int  # of its first character, decorators included; from 0
    end_line: int  # of its last character
    signature: str  # as written, up to its body; decorators left out
    doc: str  # the first line of its docstring, or of the comment above it; without the marks
    source: str  # its first lines as written, at most 40


@dataclass(frozen=True, slots=True)
class Import:
    """One statement that makes names of another file known here."""

    module: str  # as written: "..cache.plan", "./util", "net/http", "crate::cache", "plan.h"
    names: tuple[tuple[str, str], ...]  # (name there, name here); empty: the module itself, or all
    alias: str  # what the module itself is called here; "" if only its names are known
    line: int


class FileImports(NamedTuple):
    """What a file of a language makes known of others."""

    language: str
    imports: tuple[Import, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    path: str
    language: str
    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    uses: Mapping[str, int] = field(default_factory=dict)  # how often each identifier occurs
    text: str = ""  # that it is of
