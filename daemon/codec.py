"""Frozen dataclasses to plain data and back, checked field by field against their annotations.

A dataclass becomes the list of its field values; a member of a union of dataclasses is preceded by
its class name. Decoding trusts nothing: a wrong type, a number out of its range, a missing field
or an unknown name is a `ValueError` that says where.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from ..api.bounds import Range

Decode = Callable[[Any], Any]
SCALARS = (int, str, bool, float, NoneType)


def plain(value: Any) -> Any:
    """`value` as msgpack and JSON have it. Untagged: see `tagged` for unions."""
    kind = type(value)
    if kind in SCALARS:
        return value
    if is_dataclass(kind):
        items = ((getattr(value, name), union) for name, union in _layout(kind))
        return [tagged(item) if union else plain(item) for item, union in items]
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value


def tagged(value: Any) -> Any:
    """A member of a union of dataclasses: its name, then itself."""
    return [type(value).__name__, plain(value)]


@cache
def decoder(kind: Any) -> Decode:
    """A function from plain data to a `kind`; it raises `ValueError`."""
    if kind is Any:
        return lambda data: data
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if kind in SCALARS:
        return _scalar(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _within(decoder(arguments[0]), arguments[1])
    if origin in (tuple, list):
        return _sequence(origin, decoder(arguments[0]))
    if origin is dict:
        return _mapping(decoder(arguments[0]), decoder(arguments[1]))
    if origin in (Union, UnionType):
        return _tagged(arguments) if _is_tagged(kind) else _optional(arguments)
    raise TypeError(f"no decoder for {kind}")


def _scalar(kind: type) -> Decode:
    accepted = (float, int) if kind is float else (kind,)

    def decode(data: Any) -> Any:
        if type(data) not in accepted:  # exactly: True is not a number here
            raise ValueError(f"{data!r:.40} is not {kind.__name__}")
        return data

    return decode


def _within(read: Decode, range_: Range) -> Decode:
    def decode(data: Any) -> Any:
        value = read(data)
        if value not in range_:
            raise ValueError(f"{value!r:.40} is not {range_}")
        return value

    return decode


def _sequence(make: type, item: Decode) -> Decode:
    def decode(data: Any) -> Any:
        if not isinstance(data, list):
            raise ValueError(f"{data!r:.40} is not a list")
        return make(item(value) for value in data)

    return decode


def _mapping(key: Decode, value: Decode) -> Decode:
    def decode(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise ValueError(f"{data!r:.40} is not a mapping")
        return {key(name): value(item) for name, item in data.items()}

    return decode


def _optional(kinds: tuple[Any, ...]) -> Decode:
    [inner] = [decoder(kind) for kind in kinds if kind is not NoneType]
    return lambda data: None if data is None else inner(data)


def _tagged(kinds: tuple[Any, ...]) -> Decode:
    by_name = {kind.__name__: decoder(kind) for kind in kinds}

    def decode(data: Any) -> Any:
        if not isinstance(data, list) or len(data) != 2 or not isinstance(data[0], str):
            raise ValueError("not a name and its fields")
        if data[0] not in by_name:
            raise ValueError(f"there is no {data[0]!r:.40}")
        return by_name[data[0]](data[1])

    return decode


def _dataclass(kind: type) -> Decode:
    hints = _hints(kind)
    decoders = [decoder(hints[field.name]) for field in fields(kind)]

    def decode(data: Any) -> Any:
        if not isinstance(data, list) or len(data) != len(decoders):
            raise ValueError(f"{kind.__name__} has {len(decoders)} fields")
        try:
            return kind(*(read(value) for read, value in zip(decoders, data, strict=True)))
        except ValueError as error:
            raise ValueError(f"{kind.__name__}: {error}") from None

    return decode


def _is_tagged(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and NoneType not in get_args(kind)


@cache
def _layout(kind: Any) -> tuple[tuple[str, bool], ...]:
    """The fields of a dataclass, and whether each is of a union of dataclasses."""
    hints = _hints(kind)
    return tuple((field.name, _is_tagged(hints[field.name])) for field in fields(kind))


def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)
