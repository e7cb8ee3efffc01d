"""Schemas for JSON files, by rules `GLOB=FILE`, of which the first that matches counts.

A glob without a slash is matched with the file's name, one with a slash with the end of its path.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from ...cache.errors import InputError


@dataclass(frozen=True, slots=True)
class SchemaRule:
    """Files that match `glob` follow the schema in `file`."""

    glob: str
    file: str


def schema_rule(text: str) -> SchemaRule:
    """From `GLOB=FILE`. Raises `InputError`."""
    glob, equals, file = text.partition("=")
    if not (glob and equals and file):
        raise InputError(f"{text!r} names no schema: write GLOB=FILE")
    return SchemaRule(glob, str(Path(file).expanduser()))


def schema_of(path: str, rules: Sequence[SchemaRule]) -> str:
    """The schema's file for the file at `path`; empty if it has none."""
    for rule in rules:
        name = PurePath(path).name if "/" not in rule.glob else "/" + path.lstrip("/")
        glob = rule.glob if "/" not in rule.glob else "*/" + rule.glob.lstrip("/")
        if fnmatchcase(name, glob):
            return rule.file
    return ""
