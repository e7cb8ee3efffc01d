"""Functions that kernels of whole numbers are made of: unsigned codes by signed weights, summed
exactly.

Weights are read as they are stored, row after row, so a lane holds a part of a row's sum until the
end, when lanes are added up for four rows at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from ..processor import Dot
from .llvm import (
    FLOATS,
    INT16,
    INT32,
    INT64,
    INTS,
    Builder,
    Intrinsic,
    Value,
    at,
    call,
    constant,
    every,
    intrinsic,
    loaded,
    pointer,
    prefetch,
    spread,
    store,
)  # fmt: skip

BYTE = ir.IntType(8)
CODES = 127  # a code's largest value; stored as unsigned bytes, ZERO higher
ZERO = 128
AHEAD = 8  # rows of weights that are asked for before their turn


@dataclass(frozen=True, slots=True)
class Products:
    """How a processor multiplies bytes: so many at a time, and tiles that its registers hold."""

    dot: Dot
    step: int  # bytes
    rows: int  # of weights; a multiple of 4
    tokens: int

    @property
    def lanes(self) -> int:
        return self.step // 4


PRODUCTS = {
    "vnni-512": Products("vnni-512", 64, 8, 2),
    "vnni-256": Products("vnni-256", 32, 4, 2),
    "avx2": Products("avx2", 32, 4, 2),
}


def dot(builder: Builder, how: Products, sums: Value, codes: Value, weights: Value) -> Value:
    """`sums` and in each lane four products of a code and a weight. "avx2" adds two of them in
    sixteen bits, which is exact for weights of 63 at the most."""
    wide, shorts = sums.type, ir.VectorType(INT16, 2 * how.lanes)
    if how.dot == "avx2":
        pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", shorts, codes, weights)
        ones = ir.Constant(shorts, [1] * (2 * how.lanes))
        return builder.add(sums, call(builder, "llvm.x86.avx2.pmadd.wd", wide, pairs, ones))
    name = f"llvm.x86.avx512.vpdpbusd.{8 * how.step}"
    return call(builder, name, wide, sums, codes, weights)


def tile(how: Products, tokens: int, rows: int, ahead: bool) -> Intrinsic:
    """`multiply(codes, weights, size, sums, sums_row)`: int32 products of `tokens` rows of codes
    with `rows` rows of weights, `size` bytes each, one behind the other. `ahead`: have the next
    rows of weights on their way."""

    @intrinsic
    def multiply(
        context: Any, codes: Any, weights: Any, size: Any, sums: Any, sums_row: Any
    ) -> Any:
        def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
            codes, weights, size, sums, sums_row = values
            kind = ir.VectorType(INT32, how.lanes)
            partial = [
                [cgutils.alloca_once(builder, kind) for _ in range(rows)] for _ in range(tokens)
            ]
            for each in partial:
                for sum_ in each:
                    builder.store(constant(0, kind), sum_)
            token_rows = [at(builder, codes, size, token) for token in range(tokens)]
            weight_rows = [at(builder, weights, size, row) for row in range(rows)]
            with every(builder, how.step, size) as i:
                own = [code_bytes(builder, how, builder.add(place, i)) for place in token_rows]
                for row in range(rows):
                    place = builder.add(weight_rows[row], i)
                    if ahead:
                        prefetch(builder, at(builder, place, size, AHEAD))
                    weight = code_bytes(builder, how, place)
                    for token in range(tokens):
                        sum_ = builder.load(partial[token][row])
                        sum_ = dot(builder, how, sum_, own[token], weight)
                        builder.store(sum_, partial[token][row])
            for token in range(tokens):
                for row in range(0, rows, 4):
                    four = [builder.load(sum_) for sum_ in partial[token][row : row + 4]]
                    place = builder.add(at(builder, sums, sums_row, token), INT64(4 * row))
                    store(builder, _added_up(builder, four), place)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 5), emit

    return multiply


def code_bytes(builder: Builder, how: Products, address: Value) -> Value:
    found = builder.load(pointer(builder, address, ir.VectorType(BYTE, how.step)))
    found.align = 1
    return found


def _added_up(builder: Builder, four: list[Value]) -> Value:
    """The sums over the lanes of four vectors, in the four lanes of one."""

    def shuffled(a: Value, b: Value, lanes: Sequence[int]) -> Value:
        numbers = ir.Constant(ir.VectorType(INT32, len(lanes)), list(lanes))
        return builder.shuffle_vector(a, b, numbers)

    def within(a: Value, b: Value, pattern: tuple[int, ...]) -> Value:
        """Lanes of each quarter of 128 bits, from 4 on those of `b`."""
        lanes = a.type.count
        picked = [p % 4 + q + p // 4 * lanes for q in range(0, lanes, 4) for p in pattern]
        return shuffled(a, b, picked)

    def halved(a: Value, b: Value, one: tuple[int, ...], other: tuple[int, ...]) -> Value:
        return builder.add(within(a, b, one), within(a, b, other))

    pairs = [halved(four[at], four[at + 1], (0, 4, 1, 5), (2, 6, 3, 7)) for at in (0, 2)]
    sums = halved(pairs[0], pairs[1], (0, 1, 4, 5), (2, 3, 6, 7))
    while sums.type.count > 4:
        half = sums.type.count // 2
        low, high = range(half), range(half, 2 * half)
        sums = builder.add(shuffled(sums, sums, low), shuffled(sums, sums, high))
    return sums


@intrinsic
def finish(
    context: Any, place: Any, sums: Any, scales: Any, step: Any, bias: Any, residual: Any
) -> Any:
    """LANES int32 products in place become float32: less what ZERO made of them (`sums`: of the
    weights of a row), by the row's scale and the token's step, and with bias and residual where
    their address is not 0."""

    def emit(context: Any, builder: Builder, signature: Any, values: Sequence[Value]) -> Value:
        place, sums, scales, step, bias, residual = values
        exact = cgutils.alloca_once(builder, INTS)
        builder.store(loaded(builder, place, INTS), exact)
        with builder.if_then(builder.icmp_signed("!=", sums, INT64(0))):
            excess = builder.mul(loaded(builder, sums, INTS), constant(ZERO, INTS))
            builder.store(builder.sub(builder.load(exact), excess), exact)
        whole = builder.load(exact)
        scaled = builder.fmul(builder.sitofp(whole, FLOATS), loaded(builder, scales))
        total = cgutils.alloca_once(builder, FLOATS)
        builder.store(builder.fmul(scaled, spread(builder, step)), total)
        for address in (residual, bias):
            with builder.if_then(builder.icmp_signed("!=", address, INT64(0))):
                sum_ = builder.fadd(builder.load(total), loaded(builder, address))
                builder.store(sum_, total)
        store(builder, builder.load(total), place)
        return context.get_dummy_value()

    signature = types.void(
        types.int64, types.int64, types.int64, types.float32, types.int64, types.int64
    )
    return signature, emit
