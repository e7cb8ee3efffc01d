"""Products with five-bit weights as they are stored (`int5_weight`), for any number of tokens.

What goes before is `int8_kernel`'s `prepare`. Each sum is exact, so it is the same whoever works it
out.
"""

from typing import Any

from numba import njit

from ..int5_weight import BLOCK_BYTES, GROUP, ROWS
from ..launch import (
    BIAS,
    BLOCK,
    BLOCKS,
    CODE_ROWS,
    CODES_AT,
    GROUP_SUMS_AT,
    INS,
    MULTIPLIED,
    NEXT,
    OUTS,
    RESIDUAL,
    SCALES,
    STEPS_AT,
    TOGETHER,
    WEIGHTS,
)  # fmt: skip
from ..processor import Dot
from .codes import PRODUCTS, finish
from .five_bits import tile
from .memory import claim, get, peek


def function(how: Dot) -> Any:
    """`multiply(numbers)`."""
    kind = PRODUCTS[how]
    first = {tokens: tile(kind, tokens, True) for tokens in (1, 2, TOGETHER)}
    first_one, first_two, first_many = first.values()
    one, two, four, many = (tile(kind, tokens, False) for tokens in (1, 2, 4, TOGETHER))

    @njit(error_model="numpy")
    def products(n: Any, first: Any) -> None:
        """Of all tokens with ROWS rows of weights, as int32."""
        tokens, ins, outs = peek(n, CODE_ROWS), peek(n, INS), peek(n, OUTS)
        codes, groups = peek(n, CODES_AT), peek(n, GROUP_SUMS_AT)
        weights = peek(n, WEIGHTS) + BLOCK_BYTES * (ins // GROUP) * (first // ROWS)
        sums, along = peek(n, MULTIPLIED) + 4 * first, 4 * outs
        if tokens >= TOGETHER:
            first_many(codes, ins, groups, weights, sums, along)
            token = TOGETHER
        elif tokens >= 2:
            first_two(codes, ins, groups, weights, sums, along)
            token = 2
        else:
            first_one(codes, ins, groups, weights, sums, along)
            token = 1
        while token < tokens:
            before = token // TOGETHER * TOGETHER
            own = codes + ins * before + GROUP * (token - before)
            own_groups = groups + 4 * (ins // GROUP * before + token - before)
            place, left = sums + along * token, tokens - token
            if left >= TOGETHER and token == before:
                many(own, ins, own_groups, weights, place, along)
                token += TOGETHER
            elif left >= 4 and token % 4 == 0:
                four(own, ins, own_groups, weights, place, along)
                token += 4
            elif left >= 2 and token % 2 == 0:
                two(own, ins, own_groups, weights, place, along)
                token += 2
            else:
                one(own, ins, own_groups, weights, place, along)
                token += 1

    @njit(error_model="numpy")
    def reach(n: Any, index: Any) -> Any:
        """The first row of weights of a block of work, and one past its last."""
        start = peek(n, BLOCK) * index
        return start, peek(n, OUTS) if index == peek(n, BLOCKS) - 1 else start + peek(n, BLOCK)

    @njit(error_model="numpy")
    def multiply(n: Any) -> None:
        outs, bias, residual = peek(n, OUTS), peek(n, BIAS), peek(n, RESIDUAL)
        while True:
            index = claim(n + 8 * NEXT)
            if index >= peek(n, BLOCKS):
                return
            start, stop = reach(n, index)
            for first in range(start, stop, ROWS):
                products(n, first)
                for token in range(peek(n, CODE_ROWS)):
                    along = 4 * (outs * token + first)
                    finish(
                        peek(n, MULTIPLIED) + along,
                        0,
                        peek(n, SCALES) + 4 * first,
                        get(peek(n, STEPS_AT) + 4 * token),
                        bias + 4 * first if bias != 0 else 0,
                        residual + along if residual != 0 else 0,
                    )

    return multiply
