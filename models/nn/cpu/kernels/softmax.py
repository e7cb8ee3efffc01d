"""The softmax of attention, of sixteen queries at a time, a lane each: block after block of keys,
each lane in the same order whatever the others do."""

from collections.abc import Sequence
from typing import Any

from numba.core import cgutils, types

from .llvm import (
    FLOATS,
    INT32,
    INT64,
    INTS,
    Builder,
    Intrinsic,
    Value,
    at,
    broadcast,
    constant,
    exponential,
    fused,
    greater,
    intrinsic,
    loaded,
    spread,
    store,
)  # fmt: skip

WHOLE = 2.0**23  # added to what is less, it leaves a whole number in the lowest bits
NOTHING = 1e-30  # weights of at most this are none


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
        total, now = _begin_softening(builder, scores, row, keys, most, sums, shrink)
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
def soften_scaled(
    context: Any, scores: Any, row: Any, keys: Any, most: Any, sums: Any, shrink: Any,
    scales: Any, top: Any,
) -> Any:  # fmt: skip
    """`soften`, and then each key's weights times its number in `scales`; `top`: the largest of
    these products for each of the LANES queries."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        scores, row, keys, most, sums, shrink, scales, top = values
        total, now = _begin_softening(builder, scores, row, keys, most, sums, shrink)
        largest_ = cgutils.alloca_once(builder, FLOATS)
        builder.store(constant(0.0), largest_)
        with cgutils.for_range(builder, keys, intp=INT64) as loop:
            place = builder.add(scores, builder.mul(row, loop.index))
            weight = exponential(builder, builder.fsub(loaded(builder, place), now))
            builder.store(builder.fadd(builder.load(total), weight), total)
            scale = broadcast(builder, builder.add(scales, builder.mul(loop.index, INT64(4))))
            scaled = builder.fmul(weight, scale)
            store(builder, scaled, place)
            builder.store(greater(builder, scaled, builder.load(largest_)), largest_)
        store(builder, builder.load(total), sums)
        store(builder, builder.load(largest_), top)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 8), emit


def _begin_softening(
    builder: Builder, scores: Value, row: Value, keys: Value, most: Value, sums: Value,
    shrink: Value,
) -> tuple[Value, Value]:  # fmt: skip
    """Where the sum goes on, and the new `most`."""
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
    return total, now


def rounding(largest_code: int) -> Intrinsic:
    """`round_off(to, to_row, weights, row, fours, top, steps)`: weights of LANES queries, none
    below zero and none above `top`, as codes of a byte, those of four keys together; `steps`: what
    one is worth."""

    @intrinsic
    def round_off(
        context: Any, to: Any, to_row: Any, weights: Any, row: Any, fours: Any, top: Any, steps: Any
    ) -> Any:
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            to, to_row, weights, row, fours, top, steps = values
            most = loaded(builder, top)
            step = builder.fmul(most, constant(1 / largest_code))
            inverse = builder.fdiv(constant(float(largest_code)), most)
            some = builder.fcmp_ordered(">", most, constant(NOTHING))
            inverse = builder.select(some, inverse, constant(0.0))
            store(builder, step, steps)
            with cgutils.for_range(builder, fours, intp=INT64) as loop:
                here = builder.add(weights, builder.mul(builder.mul(row, INT64(4)), loop.index))
                code = None
                for key in range(4):
                    weight = loaded(builder, at(builder, here, row, key))
                    shifted = fused(builder, weight, inverse, constant(WHOLE))
                    bits = builder.bitcast(shifted, INTS)
                    if key == 0:
                        code = builder.and_(bits, constant(255, INTS))
                    else:
                        code = builder.or_(code, builder.shl(bits, constant(8 * key, INTS)))
                store(builder, code, builder.add(to, builder.mul(to_row, loop.index)))
            return context.get_dummy_value()

        return types.void(*[types.int64] * 7), emit

    return round_off
