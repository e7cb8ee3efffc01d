"""Functions that the product with five-bit weights is made of (`int5_weight`).

A lane is an output: sixteen rows of weights side by side, four columns at a time, are multiplied by
four codes of a token in every lane. Nothing is added up across lanes.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from ..int5_weight import BLOCK_BYTES, COLUMNS, GROUP, LINE, MIDDLE, ROWS
from ..launch import TOGETHER
from .codes import BYTE, ZERO, Products, dot
from .llvm import (
    INT32,
    INT64,
    Builder,
    Intrinsic,
    Value,
    at,
    broadcast,
    call,
    constant,
    every,
    intrinsic,
    pointer,
    prefetch,
    store,
)  # fmt: skip

PAIRS = GROUP // COLUMNS // 2  # of lines that share their bytes
HIGH_AT, STEPS_AT = PAIRS * LINE, (PAIRS + 1) * LINE  # in a block
CACHE_LINE = 64
AHEAD = 4096  # bytes: what is asked for before its turn


def tile(how: Products, tokens: int, ahead: bool) -> Intrinsic:
    """`multiply(codes, size, group_sums, weights, sums, sums_row)`: int32 products of the first
    `tokens` of TOGETHER that lie together, GROUP of the `size` codes of each in turn, with ROWS
    rows of weights. `group_sums`: int32 for each group and token, what its codes sum up to times
    -MIDDLE, because the codes of weights are stored MIDDLE too high. `ahead`: have weights that
    come later on their way."""
    vectors = ROWS // how.lanes
    kind = ir.VectorType(INT32, how.lanes)
    line = ir.VectorType(BYTE, how.step)

    @intrinsic
    def multiply(
        context: Any, codes: Any, size: Any, group_sums: Any, weights: Any, sums: Any, sums_row: Any
    ) -> Any:
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            codes, size, group_sums, weights, sums, sums_row = values
            totals = [
                [cgutils.alloca_once(builder, kind) for _ in range(vectors)] for _ in range(tokens)
            ]
            for each in totals:
                for total in each:
                    builder.store(constant(0, kind), total)
            with every(builder, GROUP, size) as i:
                group = builder.udiv(i, INT64(GROUP))
                block = builder.add(weights, builder.mul(group, INT64(BLOCK_BYTES)))
                if ahead:
                    for place in range(0, BLOCK_BYTES, CACHE_LINE):
                        prefetch(builder, builder.add(block, INT64(AHEAD + place)))
                here = builder.add(codes, builder.mul(i, INT64(TOGETHER)))
                start = builder.add(group_sums, builder.mul(group, INT64(4 * TOGETHER)))
                own = [[broadcast(builder, builder.add(start, INT64(4 * token)), kind)] * vectors
                       for token in range(tokens)]  # fmt: skip
                for vector in range(vectors):
                    part = builder.add(block, INT64(how.step * vector))
                    high = _load(builder, builder.add(part, INT64(HIGH_AT)), line)
                    for pair in range(PAIRS):
                        low = _load(builder, builder.add(part, INT64(LINE * pair)), line)
                        for half in range(2):
                            number = 2 * pair + half
                            weight = _codes(builder, low, high, half, number)
                            for token in range(tokens):
                                place = INT64(GROUP * token + COLUMNS * number)
                                four = broadcast(builder, builder.add(here, place), kind)
                                own[token][vector] = dot(
                                    builder, how, own[token][vector], weight,
                                    builder.bitcast(four, line),
                                )  # fmt: skip
                    place = builder.add(block, INT64(STEPS_AT + how.lanes * vector))
                    steps = _load(builder, place, ir.VectorType(BYTE, how.lanes))
                    steps = builder.sext(steps, kind)
                    for token in range(tokens):
                        total = totals[token][vector]
                        part_sum = builder.mul(own[token][vector], steps)
                        builder.store(builder.add(builder.load(total), part_sum), total)
            for token in range(tokens):
                for vector in range(vectors):
                    place = builder.add(
                        at(builder, sums, sums_row, token), INT64(4 * how.lanes * vector)
                    )
                    store(builder, builder.load(totals[token][vector]), place)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 6), emit

    return multiply


def _codes(builder: Builder, low: Value, high: Value, half: int, number: int) -> Value:
    """Those of a line: four bits of each byte of `low`, and the bit `number` of `high`."""
    kind = low.type

    def bytes_of(value: int) -> Value:
        return ir.Constant(kind, [value] * kind.count)

    four = builder.lshr(low, bytes_of(4)) if half else builder.and_(low, bytes_of(15))
    to = 4 - number
    moved = builder.shl(high, bytes_of(to)) if to >= 0 else builder.lshr(high, bytes_of(-to))
    return builder.or_(four, builder.and_(moved, bytes_of(MIDDLE)))


@intrinsic
def lay_together(context: Any, to: Any, sums: Any, codes: Any, size: Any) -> Any:
    """Store `size` codes of a token, ZERO too high before and signed then, GROUP at a time and
    those of TOGETHER tokens side by side; and -MIDDLE times the sum of each group, int32, likewise.
    """

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, sums, codes, size = values
        narrow, wide = ir.VectorType(BYTE, GROUP), ir.VectorType(INT32, GROUP)
        with every(builder, GROUP, size) as i:
            found = _load(builder, builder.add(codes, i), narrow)
            signed = builder.xor(found, ir.Constant(narrow, [ZERO] * GROUP))
            place = builder.add(to, builder.mul(i, INT64(TOGETHER)))
            builder.store(signed, pointer(builder, place, narrow)).align = 1
            name, parts = f"llvm.vector.reduce.add.v{GROUP}i32", builder.sext(signed, wide)
            total = builder.mul(call(builder, name, INT32, parts), INT32(-MIDDLE))
            store(builder, total, builder.add(sums, builder.mul(i, INT64(4 * TOGETHER // GROUP))))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit


def _load(builder: Builder, address: Value, kind: Value) -> Value:
    found = builder.load(pointer(builder, address, kind))
    found.align = 1
    return found
