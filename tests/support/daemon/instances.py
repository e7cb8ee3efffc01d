"""Messages of a protocol: any of them, and how they are laid out."""

import dataclasses
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from keyturn.api.confidence import Confidence, Correction

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-(2**60), 2**60)
data = st.dictionaries(texts, st.none() | st.booleans() | st.integers(0, 9) | texts, max_size=3)
BY_TYPE = {str: texts, int: numbers, float: st.floats(allow_nan=False)}


def instances(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotation; text and numbers as the wire can carry them."""
    if kind is Confidence:  # has as many probabilities as places
        steps = st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1)), min_size=1, max_size=3)
        return st.builds(
            lambda steps, correction: Confidence(
                tuple(start for start, _ in steps), tuple(likely for _, likely in steps), correction
            ),
            steps,
            instances(Correction),
        )
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind, include_extras=True)
        return st.builds(kind, **{name: instances(hint) for name, hint in hints.items()})  # type: ignore[arg-type]
    if get_origin(kind) is Annotated:
        number, allowed = get_args(kind)
        make = st.integers if number is int else st.floats
        return make(allowed.least, allowed.most)
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    arguments = get_args(kind)
    if kind == dict[str, Any]:
        return data
    if getattr(kind, "__origin__", None) is tuple:
        return st.lists(instances(arguments[0]), max_size=3).map(tuple)
    if arguments:
        return st.one_of(*(instances(argument) for argument in arguments))
    return st.from_type(kind)


def layout(kind: Any, seen: set[Any]) -> list[str]:
    """Every message below `kind` with its fields, as frames carry them."""
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if kind in seen:
            return []
        seen.add(kind)
        hints = get_type_hints(kind)
        own = ", ".join(f"{name}: {hint}" for name, hint in hints.items())
        below = (line for hint in hints.values() for line in layout(hint, seen))
        return [f"{kind.__name__}({own})", *below]
    return [line for argument in get_args(kind) for line in layout(argument, seen)]
