"""Functions that kernels of float32 are made of, sixteen numbers at a time.

What depends on a size makes an intrinsic of numba for that size, so that sums stay in registers.
Every lane adds up in the same order whatever the others do.
"""

from collections.abc import Sequence
from typing import Any

from numba.core import cgutils, types

from .launch import LANES
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
    every,
    exponential,
    fused,
    greater,
    intrinsic,
    loaded,
    spread,
    store,
)  # fmt: skip


@intrinsic
def turn(context: Any, to: Any, x: Any, cosines: Any, sines: Any, size: Any) -> Any:
    """Turn the `size` float32 of one head, whose halves are pairs: x * cosines + (its halves
    exchanged) * sines. A multiple of 2 * LANES."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, x, cosines, sines, size = values
        half = builder.lshr(size, INT64(1))
        across = builder.mul(half, INT64(4))
        with every(builder, LANES, half) as i:
            first = builder.mul(i, INT64(4))
            second = builder.add(first, across)
            halves = [loaded(builder, builder.add(x, place)) for place in (first, second)]
            for place, own, other in ((first, *halves), (second, *halves[::-1])):
                cos = loaded(builder, builder.add(cosines, place))
                sin = loaded(builder, builder.add(sines, place))
                turned = fused(builder, other, sin, builder.fmul(own, cos))
                store(builder, turned, builder.add(to, place))
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), emit


def product(rows: int, vectors: int, scaled: bool) -> Intrinsic:
    """`tile(c, c_row, a, a_row, a_step, b, b_step, steps, scales)`: c += a b, for a tile of `rows`
    by `vectors` * LANES; `scaled`: each row of c is first multiplied by its number in `scales`,
    otherwise c is written and not read."""

    @intrinsic
    def tile(
        context: Any, c: Any, c_row: Any, a: Any, a_row: Any, a_step: Any, b: Any, b_step: Any,
        steps: Any, scales: Any,
    ) -> Any:  # fmt: skip
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            c, c_row, a, a_row, a_step, b, b_step, steps, scales = values
            places = [
                [at(builder, at(builder, c, c_row, r), INT64(WIDTH), v) for v in range(vectors)]
                for r in range(rows)
            ]
            sums = [
                [cgutils.alloca_once(builder, FLOATS) for _ in range(vectors)] for _ in range(rows)
            ]
            for r in range(rows):
                by = broadcast(builder, at(builder, scales, INT64(4), r)) if scaled else None
                for v in range(vectors):
                    first = constant(0.0)
                    if scaled:
                        first = builder.fmul(loaded(builder, places[r][v]), by)
                    builder.store(first, sums[r][v])
            starts = [at(builder, a, a_row, r) for r in range(rows)]
            with cgutils.for_range(builder, steps, intp=INT64) as loop:
                here = builder.add(b, builder.mul(b_step, loop.index))
                columns = [
                    loaded(builder, at(builder, here, INT64(WIDTH), v)) for v in range(vectors)
                ]
                along = builder.mul(a_step, loop.index)
                for r in range(rows):
                    factor = broadcast(builder, builder.add(starts[r], along))
                    for v in range(vectors):
                        sum_ = fused(builder, factor, columns[v], builder.load(sums[r][v]))
                        builder.store(sum_, sums[r][v])
            for r in range(rows):
                for v in range(vectors):
                    store(builder, builder.load(sums[r][v]), places[r][v])
            return context.get_dummy_value()

        return types.void(*[types.int64] * 9), emit

    return tile


@intrinsic
def mask(context: Any, scores: Any, row: Any, keys: Any, first: Any, positions: Any) -> Any:
    """Minus infinity in the scores of LANES queries, whose `positions` are int32, for those of so
    many `keys`, from position `first` on, that come after them."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        scores, row, keys, first, positions = values
        own = loaded(builder, positions, INTS)
        with cgutils.for_range(builder, keys, intp=INT64) as loop:
            place = builder.add(scores, builder.mul(row, loop.index))
            key = spread(builder, builder.trunc(builder.add(first, loop.index), INT32), INTS)
            later = builder.icmp_signed(">", key, own)
            kept = builder.select(later, constant(float("-inf")), loaded(builder, place))
            store(builder, kept, place)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 5), emit


@intrinsic
def soften(
    context: Any, scores: Any, row: Any, keys: Any, most: Any, sums: Any, shrink: Any
) -> Any:
    """One step of an online softmax (arXiv 1805.02867) for LANES queries: scores become exp(score -
    most) with the new `most`, `sums` goes on, and `shrink` is what came before is multiplied by."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        scores, row, keys, most, sums, shrink = values
        before = loaded(builder, most)
        highest = cgutils.alloca_once(builder, FLOATS)
        builder.store(before, highest)
        with cgutils.for_range(builder, keys, intp=INT64) as loop:
            place = builder.add(scores, builder.mul(row, loop.index))
            builder.store(greater(builder, loaded(builder, place), builder.load(highest)), highest)
        now = builder.load(highest)
        store(builder, now, most)
        by = exponential(builder, builder.fsub(before, now))
        store(builder, by, shrink)
        total = cgutils.alloca_once(builder, FLOATS)
        builder.store(builder.fmul(loaded(builder, sums), by), total)
        with cgutils.for_range(builder, keys, intp=INT64) as loop:
            place = builder.add(scores, builder.mul(row, loop.index))
            weight = exponential(builder, builder.fsub(loaded(builder, place), now))
            store(builder, weight, place)
            builder.store(builder.fadd(builder.load(total), weight), total)
        store(builder, builder.load(total), sums)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 6), emit


@intrinsic
def exp_of_difference(context: Any, to: Any, a: Any, b: Any) -> Any:
    """Store exp(a - b) of LANES float32, none of them above zero."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, a, b = values
        difference = builder.fsub(loaded(builder, a), loaded(builder, b))
        store(builder, exponential(builder, difference), to)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@intrinsic
def add_scaled(context: Any, to: Any, x: Any, factor: Any, lanes: Any) -> Any:
    """to += factor * x, for so many `lanes`, a multiple of LANES."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, x, factor, lanes = values
        by = spread(builder, factor)
        with every(builder, LANES, lanes) as i:
            along = builder.mul(i, INT64(4))
            place = builder.add(to, along)
            sum_ = fused(
                builder, by, loaded(builder, builder.add(x, along)), loaded(builder, place)
            )
            store(builder, sum_, place)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32, types.int64), emit
