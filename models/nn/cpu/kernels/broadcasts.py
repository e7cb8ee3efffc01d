"""Products of whole numbers for attention: a row of codes, four numbers at a time in every lane,
with columns of signed ones, a column to a lane. So nothing is added up across lanes.

Where a processor adds two products up in sixteen bits ("avx2"), sums are exact because the signed
numbers, or the codes, are small enough (`Processor.query_codes`, `weight_codes`).
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from ..launch import LANES
from .codes import BYTE, ZERO, Products, code_bytes, dot
from .llvm import (
    FLOATS,
    INT32,
    INT64,
    INTS,
    WIDTH,
    Builder,
    Intrinsic,
    Value,
    at,
    broadcast,
    constant,
    fused,
    intrinsic,
    loaded,
    store,
)  # fmt: skip


def scoring(how: Products, keys: int, vectors: int) -> Intrinsic:
    """`score(scores, scores_row, keys, keys_row, queries, queries_row, fours, excess, key_steps,
    query_steps)`: float32 scores of `keys` rows of codes with `vectors` * LANES queries, one to a
    lane, whose signed codes lie four and four together. `excess`: int32 that sums begin with."""

    @intrinsic
    def score(
        context: Any, scores: Any, scores_row: Any, codes: Any, codes_row: Any, queries: Any,
        queries_row: Any, fours: Any, excess: Any, key_steps: Any, query_steps: Any,
    ) -> Any:  # fmt: skip
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            scores, scores_row, codes, codes_row, queries, queries_row, fours = values[:7]
            excess, key_steps, query_steps = values[7:]
            parts = _parts(how, vectors)
            first = [
                loaded(builder, at(builder, excess, INT64(how.step), v), _ints(how))
                for v in range(parts)
            ]
            starts = [at(builder, codes, codes_row, key) for key in range(keys)]
            sums = _broadcast_sums(
                builder, how, [first] * keys, starts, INT64(4), queries, queries_row, fours
            )
            for key in range(keys):
                by = broadcast(builder, at(builder, key_steps, INT64(4), key))
                for v, whole in enumerate(_wholes(builder, how, sums[key])):
                    step = loaded(builder, at(builder, query_steps, INT64(WIDTH), v))
                    scaled = builder.fmul(builder.fmul(builder.sitofp(whole, FLOATS), by), step)
                    store(
                        builder,
                        scaled,
                        at(builder, at(builder, scores, scores_row, key), INT64(WIDTH), v),
                    )
            return context.get_dummy_value()

        return types.void(*[types.int64] * 10), emit

    return score


def weighing(how: Products, queries: int, vectors: int) -> Intrinsic:
    """`weigh(place, place_row, weights, weights_step, values, values_step, fours, shrink, steps)`:
    what `queries` have weighed so far, times `shrink`, and what they make of `fours` * 4 values
    more, of which these are `vectors` * LANES channels. Weights and values lie four and four
    together, `steps` are those between two of a query's weights."""

    @intrinsic
    def weigh(
        context: Any, place: Any, place_row: Any, weights: Any, weights_step: Any, values: Any,
        values_step: Any, fours: Any, shrink: Any, steps: Any,
    ) -> Any:  # fmt: skip
        def emit(context: Any, builder: Builder, signature: Any, given: Sequence[Value]) -> Value:
            place, place_row, weights, weights_step, values, values_step, fours = given[:7]
            shrink, steps = given[7:]
            first = [constant(0, _ints(how))] * _parts(how, vectors)
            starts = [at(builder, weights, INT64(4), query) for query in range(queries)]
            sums = _broadcast_sums(
                builder, how, [first] * queries, starts, weights_step, values, values_step, fours
            )
            for query in range(queries):
                by = broadcast(builder, at(builder, shrink, INT64(4), query))
                step = broadcast(builder, at(builder, steps, INT64(4), query))
                row = at(builder, place, place_row, query)
                for v, whole in enumerate(_wholes(builder, how, sums[query])):
                    there = at(builder, row, INT64(WIDTH), v)
                    before = builder.fmul(loaded(builder, there), by)
                    store(
                        builder, fused(builder, builder.sitofp(whole, FLOATS), step, before), there
                    )
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), emit

    return weigh


def excess_of(how: Products) -> Intrinsic:
    """`excess(to, queries, queries_row, fours)`: what products of LANES queries begin with, because
    codes of keys are ZERO too high: -ZERO times the sum of each query's codes."""

    @intrinsic
    def excess(context: Any, to: Any, queries: Any, queries_row: Any, fours: Any) -> Any:
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            to, queries, queries_row, fours = values
            kind = ir.VectorType(BYTE, how.step)
            sums = [cgutils.alloca_once(builder, _ints(how)) for _ in range(_parts(how, 1))]
            for sum_ in sums:
                builder.store(constant(0, _ints(how)), sum_)
            with cgutils.for_range(builder, fours, intp=INT64) as loop:
                here = builder.add(queries, builder.mul(queries_row, loop.index))
                for v, sum_ in enumerate(sums):
                    own = code_bytes(builder, how, at(builder, here, INT64(how.step), v))
                    now = dot(builder, how, builder.load(sum_), constant(ZERO, kind), own)
                    builder.store(now, sum_)
            for v, sum_ in enumerate(sums):
                less = builder.sub(constant(0, _ints(how)), builder.load(sum_))
                store(builder, less, at(builder, to, INT64(how.step), v))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 4), emit

    return excess


def _ints(how: Products) -> Value:
    return ir.VectorType(INT32, how.lanes)


def _parts(how: Products, vectors: int) -> int:
    """Registers that hold so many vectors of LANES int32."""
    return vectors * LANES // how.lanes


def _broadcast_sums(
    builder: Builder, how: Products, first: Sequence[Sequence[Value]], starts: Sequence[Value],
    start_step: Value, columns: Value, columns_row: Value, fours: Value,
) -> list[list[Value]]:  # fmt: skip
    """Sums that begin with `first`, of rows of codes that begin at `starts` with columns, one to a
    lane, of signed ones; four are multiplied at a time."""
    sums = [[cgutils.alloca_once(builder, value.type) for value in row] for row in first]
    for row, places in zip(first, sums, strict=True):
        for value, place in zip(row, places, strict=True):
            builder.store(value, place)
    word, kind = ir.VectorType(INT32, how.lanes), ir.VectorType(BYTE, how.step)
    with cgutils.for_range(builder, fours, intp=INT64) as loop:
        here = builder.add(columns, builder.mul(columns_row, loop.index))
        along = builder.mul(start_step, loop.index)
        own = [
            code_bytes(builder, how, at(builder, here, INT64(how.step), v))
            for v in range(len(first[0]))
        ]
        for start, row in zip(starts, sums, strict=True):
            codes = broadcast(builder, builder.add(start, along), word)
            codes = builder.bitcast(codes, kind)
            for column, place in zip(own, row, strict=True):
                builder.store(dot(builder, how, builder.load(place), codes, column), place)
    return [[builder.load(place) for place in places] for places in sums]


def _wholes(builder: Builder, how: Products, parts: Sequence[Value]) -> list[Value]:
    """The same numbers in vectors of LANES."""
    if how.lanes == LANES:
        return list(parts)
    lanes = ir.Constant(INTS, list(range(LANES)))
    return [
        builder.shuffle_vector(a, b, lanes) for a, b in zip(parts[::2], parts[1::2], strict=True)
    ]
