"""Numbers in memory, for kernels that numba compiles: read, stored, shared out, and turned from one
size into another. Memory is given as addresses."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import types

from ..launch import LANES
from .codes import BYTE, CODES, ZERO
from .llvm import (
    FLOAT,
    FLOATS,
    INT16,
    INT32,
    INT64,
    INTS,
    Builder,
    Value,
    call,
    constant,
    every,
    greater,
    intrinsic,
    loaded,
    pointer,
    prefetch,
    spread,
    store,
)  # fmt: skip


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


@intrinsic
def encode(context: Any, to: Any, x: Any, step: Any, size: Any) -> Any:
    """Store the codes of `size` float32, a byte each: x / step, rounded to the nearest, at most
    CODES, and ZERO higher."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, x, step, size = values
        by = spread(builder, step)
        with every(builder, LANES, size) as i:
            own = loaded(builder, builder.add(x, builder.mul(i, INT64(4))))
            whole = call(builder, "llvm.rint.v16f32", FLOATS, builder.fdiv(own, by))
            whole = greater(builder, whole, constant(-CODES))  # also what is not a number
            below = builder.fcmp_ordered("<", whole, constant(CODES))
            whole = builder.select(below, whole, constant(CODES))
            codes = builder.add(builder.fptosi(whole, INTS), constant(ZERO, INTS))
            found = builder.trunc(codes, ir.VectorType(BYTE, LANES))
            builder.store(found, pointer(builder, builder.add(to, i), found.type)).align = 1
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32, types.int64), emit


@intrinsic
def step_at(context: Any, address: Any) -> Any:
    """The bfloat16 at an address, as float32."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        high = builder.load(pointer(builder, values[0], INT16))
        high.align = 2
        bits = builder.shl(builder.zext(high, INT32), INT32(16))
        return builder.bitcast(bits, FLOAT)

    return types.float32(types.int64), emit


@intrinsic
def put_step(context: Any, address: Any, value: Any) -> Any:
    """Store a float32, not below zero, as the next bfloat16 that is not below it, and give that."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        address, value = values
        bits = builder.add(builder.bitcast(value, INT32), INT32(0xFFFF))
        high = builder.lshr(bits, INT32(16))
        builder.store(builder.trunc(high, INT16), pointer(builder, address, INT16)).align = 2
        return builder.bitcast(builder.shl(high, INT32(16)), FLOAT)

    return types.float32(types.int64, types.float32), emit


@intrinsic
def interleave(context: Any, to: Any, a: Any, b: Any, c: Any, d: Any, size: Any) -> Any:
    """Store four rows of `size` codes as signed numbers, the four of a column together."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, *rows, size = values
        kind = ir.VectorType(BYTE, LANES)

        def mixed(x: Value, y: Value) -> Value:
            lanes = [lane for pair in range(x.type.count) for lane in (pair, pair + x.type.count)]
            numbers = ir.Constant(ir.VectorType(INT32, len(lanes)), lanes)
            return builder.shuffle_vector(x, y, numbers)

        with every(builder, LANES, size) as i:
            own = []
            for row in rows:
                found = builder.load(pointer(builder, builder.add(row, i), kind))
                found.align = 1
                own.append(builder.xor(found, constant(ZERO, kind)))
            even, odd = mixed(own[0], own[2]), mixed(own[1], own[3])
            store(builder, mixed(even, odd), builder.add(to, builder.mul(i, INT64(4))))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), emit


@intrinsic
def ask_for(context: Any, address: Any) -> Any:
    """`llvm.prefetch`, for a kernel."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        prefetch(builder, values[0])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def copy(context: Any, to: Any, start: Any, lanes: Any) -> Any:
    """Store so many float32, a multiple of LANES, somewhere else as well."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, start, lanes = values
        with every(builder, LANES, lanes) as i:
            along = builder.mul(i, INT64(4))
            store(builder, loaded(builder, builder.add(start, along)), builder.add(to, along))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit
