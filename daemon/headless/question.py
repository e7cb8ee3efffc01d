"""A question as it comes from outside: text, a place in it, and how to complete there.

Everything is checked here, before anything heavy is loaded; `InputError` says what is wrong.
"""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

from ...api.request import Extent, GrammarMode, SpeculationMode
from ...cache.errors import InputError
from ..cursor import Around, ByteOffset, LineColumn, Marker, Place, checked, cut

MOST_SECONDS = 7 * 24 * 3600
EXTENTS = tuple(map(str, Extent))
GRAMMAR_MODES = tuple(map(str, GrammarMode))
SPECULATION_MODES = tuple(map(str, SpeculationMode))


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to complete. `timeout` is in seconds; None waits for ever."""

    max_tokens: int = 64
    n: int = 1
    extent: str = "auto"
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 0
    timeout: float | None = None
    grammar: str = "exact"
    speculate: str = "auto"

    def __post_init__(self) -> None:
        _require("max_tokens", self.max_tokens, 1, 1_000_000)
        _require("n", self.n, 1, 32)
        _require("temperature", self.temperature, 0, 100)
        _require("top_p", self.top_p, 1e-6, 1)
        _require("min_p", self.min_p, 0, 1)
        _require("seed", self.seed, -(2**63), 2**63 - 1)
        _require("timeout", 1 if self.timeout is None else self.timeout, 1e-6, MOST_SECONDS)
        for name in ("max_tokens", "n", "seed"):
            if not isinstance(getattr(self, name), int):
                raise InputError(f"{name} must be a whole number")
        if self.extent not in EXTENTS:
            raise InputError(f"extent must be one of {', '.join(EXTENTS)}")
        if self.grammar not in GRAMMAR_MODES:
            raise InputError(f"grammar must be one of {', '.join(GRAMMAR_MODES)}")
        if self.speculate not in SPECULATION_MODES:
            raise InputError(f"speculate must be one of {', '.join(SPECULATION_MODES)}")


@dataclass(frozen=True, slots=True)
class Question:
    """Complete at a place of a file named `filename`, which need not exist."""

    around: Around
    filename: str
    wishes: Wishes


def place_of(line: int | None, column: int | None, offset: int | None, marker: str | None) -> Place:
    """The one place that was given. Raises `InputError` for none, several, or half of one."""
    ways = [line is not None or column is not None, offset is not None, marker is not None]
    if sum(ways) != 1:
        raise InputError(
            "say where the cursor is in exactly one way: line and column, offset, or cursor marker"
        )
    if offset is not None:
        return ByteOffset(offset)
    if marker is not None:
        return Marker(marker)
    if line is None or column is None:
        raise InputError("line and column go together")
    return LineColumn(line, column)


def parse(line: bytes, defaults: Wishes) -> tuple[Any, Question]:
    """One line of newline-delimited JSON: its `id` (None without one) and its question."""
    fields_given = parse_object(line)
    identity = fields_given.pop("id", None)
    try:
        return identity, question_of(fields_given, defaults)
    except InputError as error:
        raise LineError(identity, str(error)) from error


class LineError(InputError):
    """A line that is a JSON object, but no question; `identity` is its `id`."""

    def __init__(self, identity: Any, message: str) -> None:
        super().__init__(message)
        self.identity = identity


def parse_object(line: bytes) -> dict[str, Any]:
    """Raises `InputError` unless `line` is one JSON object in UTF-8."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"the line is not valid UTF-8 at byte {error.start}") from None
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise InputError(f"the line is not valid JSON: {reason}") from None
    if not isinstance(value, dict):
        raise InputError("the line is not a JSON object")
    return value


PLACE_TYPES = {"line": int, "column": int, "offset": int, "cursor_marker": str}


def question_of(given: dict[str, Any], defaults: Wishes) -> Question:
    """The question that an object's fields make. Raises `InputError`."""
    wishes = {field.name for field in fields(Wishes)}
    unknown = given.keys() - wishes - PLACE_TYPES.keys() - {"text", "filename"}
    if unknown:
        raise InputError(f"unknown field {min(unknown)!r}")
    text = _typed(given, "text", str)
    if text is None:
        raise InputError("the field 'text' is missing")
    place = place_of(*(_typed(given, name, kind) for name, kind in PLACE_TYPES.items()))
    chosen = {name: value for name, value in given.items() if name in wishes}
    return Question(
        around=cut(checked(text), place),
        filename=_typed(given, "filename", str) or "",
        wishes=replace(defaults, **chosen),
    )


def _typed(given: dict[str, Any], name: str, kind: type) -> Any:
    value = given.get(name)
    if value is not None and type(value) is not kind:
        raise InputError(
            f"the field {name!r} must be {'text' if kind is str else 'a whole number'}"
        )
    return value


def _require(name: str, value: Any, least: float, most: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number")
    if not least <= value <= most:  # nor is it where it is no number
        raise InputError(f"{name} must be between {least:,} and {most:,}")
