"""Functions that kernels of float32 are made of, sixteen numbers at a time.

What depends on a size makes an intrinsic of numba for that size, so that sums stay in registers.
Every lane adds up in the same order whatever the others do.
"""

from collections.abc import Sequence
from typing import Any

from numba.core import cgutils, types

from ..launch import LANES
from .llvm import (
    FLOAT,
    FLOATS,
    INT64,
    INTS,
    WIDTH,
    Builder,
    Intrinsic,
    Value,
    at,
    broadcast,
    call,
    constant,
    every,
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


@intrinsic
def square_sums(context: Any, x: Any, size: Any, to: Any) -> Any:
    """Sums of squares of `size` float32 in LANES lanes."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        x, size, to = values
        sums = cgutils.alloca_once(builder, FLOATS)
        builder.store(constant(0.0), sums)
        with every(builder, LANES, size) as i:
            own = loaded(builder, builder.add(x, builder.mul(i, INT64(4))))
            builder.store(fused(builder, own, own, builder.load(sums)), sums)
        store(builder, builder.load(sums), to)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit


@intrinsic
def inverse_root(context: Any, x: Any) -> Any:
    """1 / the square root of a float32."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        root = call(builder, "llvm.sqrt.f32", FLOAT, values[0])
        return builder.fdiv(FLOAT(1.0), root)

    return types.float32(types.float32), emit


@intrinsic
def scale_by(context: Any, to: Any, x: Any, weights: Any, factor: Any, size: Any) -> Any:
    """Store (x * factor) * weights, `size` float32."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        to, x, weights, factor, size = values
        by = spread(builder, factor)
        with every(builder, LANES, size) as i:
            along = builder.mul(i, INT64(4))
            own = builder.fmul(loaded(builder, builder.add(x, along)), by)
            weight = loaded(builder, builder.add(weights, along))
            store(builder, builder.fmul(own, weight), builder.add(to, along))
        return context.get_dummy_value()

    signature = types.void(types.int64, types.int64, types.int64, types.float32, types.int64)
    return signature, emit


@intrinsic
def largest(context: Any, x: Any, size: Any, to: Any) -> Any:
    """The largest magnitudes of `size` float32 in LANES lanes; no number where one of them is
    none."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        x, size, to = values
        found = cgutils.alloca_once(builder, FLOATS)
        doubt = cgutils.alloca_once(builder, FLOATS)  # zero, or not a number
        builder.store(constant(0.0), found)
        builder.store(constant(0.0), doubt)
        magnitude = constant(0x7FFFFFFF, INTS)
        with every(builder, LANES, size) as i:
            own = loaded(builder, builder.add(x, builder.mul(i, INT64(4))))
            bits = builder.and_(builder.bitcast(own, INTS), magnitude)
            above = greater(builder, builder.bitcast(bits, FLOATS), builder.load(found))
            builder.store(above, found)
            builder.store(fused(builder, own, constant(0.0), builder.load(doubt)), doubt)
        store(builder, builder.fadd(builder.load(found), builder.load(doubt)), to)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), emit
