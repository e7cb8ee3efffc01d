"""Numbers in memory, for kernels that numba compiles: read, stored, shared out, and turned from one
size into another. Memory is given as addresses."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from .launch import LANES
from .llvm import (
    FLOAT,
    FLOATS,
    HALF,
    INT32,
    INT64,
    Builder,
    Intrinsic,
    Value,
    every,
    intrinsic,
    loaded,
    pointer,
    prefetch,
    spread,
    store,
)  # fmt: skip
from .processor import Element


@intrinsic
def peek(context: Any, address: Any, index: Any) -> Any:
    """The `index`-th int64 from an address on."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        place = builder.add(values[0], builder.mul(values[1], INT64(8)))
        return loaded(builder, place, INT64)

    return types.int64(types.int64, types.int64), emit


@intrinsic
def claim(context: Any, address: Any) -> Any:
    """The int64 at an address, of which every thread that asks gets another value."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        return builder.atomic_rmw("add", pointer(builder, values[0], INT64), INT64(1), "seq_cst")

    return types.int64(types.int64), emit


@intrinsic
def get(context: Any, address: Any) -> Any:
    """The float32 at an address."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        return loaded(builder, values[0], FLOAT)

    return types.float32(types.int64), emit


@intrinsic
def put(context: Any, address: Any, value: Any) -> Any:
    """Store a float32 at an address."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        store(builder, values[1], values[0])
        return context.get_dummy_value()

    return types.void(types.int64, types.float32), emit


@intrinsic
def peek_int(context: Any, address: Any) -> Any:
    """The int32 at an address, as int64."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        return builder.sext(loaded(builder, values[0], INT32), INT64)

    return types.int64(types.int64), emit


@intrinsic
def put_int(context: Any, address: Any, value: Any) -> Any:
    """Store an int64 as int32 at an address."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        store(builder, builder.trunc(values[1], INT32), values[0])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), emit


@intrinsic
def fill(context: Any, address: Any, value: Any, lanes: Any) -> Any:
    """Store a float32 in so many `lanes`, a multiple of LANES."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        address, value, lanes = values
        vector = spread(builder, value)
        with every(builder, LANES, lanes) as i:
            store(builder, vector, builder.add(address, builder.mul(i, INT64(4))))
        return context.get_dummy_value()

    return types.void(types.int64, types.float32, types.int64), emit


def widening(element: Element) -> Intrinsic:
    """`widen(to, start, lanes)`: store float32 of so many numbers of that kind."""
    size = 4 if element == "float32" else 2
    kind = FLOAT if element == "float32" else HALF

    @intrinsic
    def widen(context: Any, to: Any, start: Any, lanes: Any) -> Any:
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            to, start, lanes = values
            with every(builder, LANES, lanes) as i:
                place = builder.add(start, builder.mul(i, INT64(size)))
                prefetch(builder, builder.add(place, builder.mul(lanes, INT64(size))))
                found = builder.load(pointer(builder, place, ir.VectorType(kind, LANES)))
                found.align = size
                if element == "float16":
                    found = builder.fpext(found, FLOATS)
                store(builder, found, builder.add(to, builder.mul(i, INT64(4))))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), emit

    return widen


def narrowing(element: Element) -> Intrinsic:
    """`narrow(to, start, lanes)`: store so many float32 as numbers of that kind."""
    size = 4 if element == "float32" else 2

    @intrinsic
    def narrow(context: Any, to: Any, start: Any, lanes: Any) -> Any:
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            to, start, lanes = values
            with every(builder, LANES, lanes) as i:
                found = loaded(builder, builder.add(start, builder.mul(i, INT64(4))))
                if element == "float16":
                    found = builder.fptrunc(found, ir.VectorType(HALF, LANES))
                place = builder.add(to, builder.mul(i, INT64(size)))
                builder.store(found, pointer(builder, place, found.type)).align = size
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), emit

    return narrow
