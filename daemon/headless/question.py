"""A question as it comes from outside: text, a place in it, and how to complete there.

Everything is checked here, before anything heavy is loaded; `InputError` says what is wrong.
"""

import json
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from ...api.bounds import Candidates, Range, Seconds, Seed, Share, Temperature, Tokens, TopP
from ...api.request import CompletionOptions, Extent, GrammarMode, Sampling, SpeculationMode
from ...cache.errors import InputError
from ..cursor import Around, ByteOffset, LineColumn, Marker, Place, checked, cut

FOREVER_MS = 24 * 3600 * 1000
FIRST_DECODE_MS = 10_000  # for whoever has waited for the model already, which starts slowly
EXTENTS = tuple(map(str, Extent))
GRAMMAR_MODES = tuple(map(str, GrammarMode))
SPECULATION_MODES = tuple(map(str, SpeculationMode))


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to complete, as it is written outside. `timeout` is in seconds; None waits for ever."""

    max_tokens: Tokens = 64
    n: Candidates = 1
    extent: str = "auto"
    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    min_p: Share = 0.0
    seed: Seed = 0
    timeout: Seconds | None = None
    grammar: str = "exact"
    speculate: str = "auto"

    def __post_init__(self) -> None:
        hints = get_type_hints(Wishes, include_extras=True) | {"timeout": Seconds}
        for name, hint in hints.items():
            value = getattr(self, name)
            if get_origin(hint) is Annotated and not (name == "timeout" and value is None):
                kind, range_ = get_args(hint)
                _require(name, value, kind, range_)
        if self.extent not in EXTENTS:
            raise InputError(f"extent must be one of {', '.join(EXTENTS)}")
        if self.grammar not in GRAMMAR_MODES:
            raise InputError(f"grammar must be one of {', '.join(GRAMMAR_MODES)}")
        if self.speculate not in SPECULATION_MODES:
            raise InputError(f"speculate must be one of {', '.join(SPECULATION_MODES)}")

    def options(self, deadline_ms: int, decode_ms: int | None) -> CompletionOptions:
        """The same in the words of `api`; `timeout` goes into the deadline, which is the caller's
        to count down."""
        return CompletionOptions(
            Extent(self.extent),
            self.max_tokens,
            self.n,
            deadline_ms,
            decode_ms,
            None,
            Sampling(float(self.temperature), float(self.top_p), float(self.min_p), self.seed),
            GrammarMode(self.grammar),
            SpeculationMode(self.speculate),
        )


def decode_limit(decode_ms: int | None, waited: bool) -> int | None:
    """When decoding ends with what it has. `waited`: the question has waited for the model, so
    that seconds more are little, and a cut answer would be a poor one after so long."""
    return max(decode_ms, FIRST_DECODE_MS) if decode_ms and waited else decode_ms


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
    except RecursionError:
        raise InputError("the line is not valid JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise InputError(f"the line is not valid JSON: {error.msg}") from None
    except ValueError:  # of so many digits Python makes no number
        raise InputError("the line is not valid JSON: a number is out of range") from None
    if not isinstance(value, dict):
        raise InputError("the line is not a JSON object")
    try:
        json.dumps(value.get("id"), allow_nan=False)
    except ValueError:
        raise InputError("the field 'id' has a number that is out of range") from None
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


def _require(name: str, value: Any, kind: type, range_: Range) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number")
    if value not in range_:  # nor is what is no number
        raise InputError(f"{name} must be between {range_.least:,} and {range_.most:,}")
    if kind is int and not isinstance(value, int):
        raise InputError(f"{name} must be a whole number")
