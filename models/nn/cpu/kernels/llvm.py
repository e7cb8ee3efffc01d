"""What the intrinsics of our kernels emit: LLVM's vectors of sixteen float32 or int32, which it
cuts to what the processor has. Memory is given as addresses and strides in bytes.

A fused product is fused on every processor, so that a result does not depend on which it is.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba.extending
from llvmlite import ir
from numba.core import cgutils

from ..launch import LANES

WIDTH = 4 * LANES  # of as many float32, in bytes

INT16, INT32, INT64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
FLOAT = ir.FloatType()
FLOATS, INTS = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
Builder = Any  # llvmlite has no types
Value = Any
Intrinsic = Callable[..., Any]  # for kernels only

VANISHING = -87.0  # exp of less counts as zero
LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
EXP = (  # Cephes' expf from the highest power on, for arguments of half of ln 2 at most
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1, 1.0, 1.0,
)  # fmt: skip


def intrinsic(function: Callable[..., Any]) -> Any:
    """numba's, as a function of no type: kernels call it with other arguments than Python would."""
    return numba.extending.intrinsic(function)


def pointer(builder: Builder, address: Value, kind: Value) -> Value:
    return builder.inttoptr(address, kind.as_pointer())


def at(builder: Builder, address: Value, stride: Value, index: int) -> Value:
    return builder.add(address, builder.mul(stride, INT64(index)))


def loaded(builder: Builder, address: Value, kind: Value = FLOATS) -> Value:
    found = builder.load(pointer(builder, address, kind))
    found.align = 4
    return found


def store(builder: Builder, value: Value, address: Value) -> None:
    builder.store(value, pointer(builder, address, value.type)).align = 4


def constant(value: float, kind: Value = FLOATS) -> Value:
    return ir.Constant(kind, [value] * kind.count)


def broadcast(builder: Builder, address: Value, kind: Value = FLOATS) -> Value:
    """The number at an address in every lane."""
    return spread(builder, loaded(builder, address, kind.element), kind)


def spread(builder: Builder, value: Value, kind: Value = FLOATS) -> Value:
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, INT32(0))
    lanes = ir.Constant(ir.VectorType(INT32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes)


def call(builder: Builder, name: str, result: Value, *values: Value) -> Value:
    """LLVM's own function `name`, whose value is of the kind `result`."""
    signature = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, signature, name), values)


@contextmanager
def every(builder: Builder, step: int, size: Value) -> Iterator[Value]:
    """The body of a loop over 0, step, 2 * step, ... below `size`."""
    with cgutils.for_range_slice(builder, INT64(0), size, INT64(step), intp=INT64) as (index, _):
        yield index


def prefetch(builder: Builder, address: Value) -> None:
    """Have the line of an address, which need not be ours, on its way to the second cache."""
    line = pointer(builder, address, ir.IntType(8))
    call(builder, "llvm.prefetch.p0", ir.VoidType(), line, INT32(0), INT32(2), INT32(1))


def fused(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """a * b + c, rounded once."""
    return call(builder, "llvm.fma.v16f32", FLOATS, a, b, c)


def greater(builder: Builder, a: Value, b: Value) -> Value:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def exponential(builder: Builder, x: Value) -> Value:
    """exp of what is not above zero, zero below `VANISHING`; what is no number stays none."""
    within = greater(builder, x, constant(VANISHING))
    whole = call(builder, "llvm.rint.v16f32", FLOATS, builder.fmul(within, constant(LOG2_E)))
    rest = fused(builder, whole, constant(-LN2_HIGH), within)
    rest = fused(builder, whole, constant(-LN2_LOW), rest)
    sum_ = constant(EXP[0])
    for factor in EXP[1:]:
        sum_ = fused(builder, sum_, rest, constant(factor))
    bits = builder.shl(builder.fptosi(whole, INTS), constant(23, INTS))
    scaled = builder.bitcast(builder.add(builder.bitcast(sum_, INTS), bits), FLOATS)
    found = builder.select(builder.fcmp_ordered(">", x, constant(VANISHING)), scaled, constant(0.0))
    return builder.select(builder.fcmp_unordered("uno", x, x), x, found)
