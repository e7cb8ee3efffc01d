"""Products with int8 weights as they are stored, for any number of tokens: nothing is packed.

`prepare` turns rows of activations into codes (with a root mean square norm in front, arXiv
1910.07467), `multiply` multiplies them, and `add_up` sums each row of weights once, because codes
are stored ZERO too high. Each sum is exact, so it is the same whoever works it out.
"""

from typing import Any

import numpy as np
from numba import njit

from ..int5_weight import GROUP
from ..launch import (
    BIAS,
    BLOCK,
    BLOCKS,
    CODE_ROWS,
    CODED,
    CODES_AT,
    EPS,
    GROUP_SUMS,
    INPUT,
    INS,
    LAID,
    LANES,
    MULTIPLIED,
    NEXT,
    NORM,
    OUTS,
    RESIDUAL,
    ROOM,
    ROWS,
    SCALES,
    SIZE,
    STEPS,
    STEPS_AT,
    SUMS,
    TOGETHER,
    WEIGHTS,
)  # fmt: skip
from ..processor import Dot
from .codes import CODES, PRODUCTS, ZERO, finish, tile
from .five_bits import lay_together
from .memory import claim, encode, get, peek, peek_int, put
from .vectors import inverse_root, largest, scale_by, square_sums


def functions(how: Dot) -> tuple[Any, Any, Any]:
    """`prepare(numbers)`, `multiply(numbers)` and `add_up(numbers)`."""
    kind = PRODUCTS[how]
    rows, many = kind.rows, kind.tokens
    first_many, more_many = tile(kind, many, rows, True), tile(kind, many, rows, False)
    first_one, more_one = tile(kind, 1, rows, True), tile(kind, 1, rows, False)

    @njit(error_model="numpy")
    def prepare(n: Any) -> None:
        size, norm = peek(n, SIZE), peek(n, NORM)
        while True:
            row = claim(n + 8 * NEXT)
            if row >= peek(n, ROWS):
                return
            x = peek(n, INPUT) + 4 * size * row
            lanes = peek(n, ROOM) + 4 * (LANES + size) * row
            if norm != 0:
                square_sums(x, size, lanes)
                total = get(lanes)
                for lane in range(1, LANES):
                    total += get(lanes + 4 * lane)
                mean = total / np.float32(size) + get(n + 8 * EPS)
                factor = inverse_root(mean)
                scale_by(lanes + 4 * LANES, x, norm, factor, size)
                x = lanes + 4 * LANES
            largest(x, size, lanes)
            most, doubt = get(lanes), np.float32(0.0)
            for lane in range(LANES):
                most = max(most, get(lanes + 4 * lane))
                doubt += get(lanes + 4 * lane) * np.float32(0.0)  # or not a number
            step = most / np.float32(CODES) + doubt
            put(peek(n, STEPS) + 4 * row, step)
            coded = peek(n, CODED) + size * row
            encode(coded, x, step, size)
            if peek(n, LAID) != 0:
                before, groups = row // TOGETHER * TOGETHER, size // GROUP
                laid = peek(n, LAID) + before * size + (row - before) * GROUP
                sums = peek(n, GROUP_SUMS) + 4 * (before * groups + row - before)
                lay_together(laid, sums, coded, size)

    @njit(error_model="numpy")
    def products(n: Any, first: Any) -> None:
        """Of all tokens with `rows` rows of weights, as int32."""
        tokens, ins, outs = peek(n, CODE_ROWS), peek(n, INS), peek(n, OUTS)
        codes, weights = peek(n, CODES_AT), peek(n, WEIGHTS) + ins * first
        sums, along = peek(n, MULTIPLIED) + 4 * first, 4 * outs
        if tokens < many:
            first_one(codes, weights, ins, sums, along)
            token = 1
        else:
            first_many(codes, weights, ins, sums, along)
            token = many
        while token + many <= tokens:
            more_many(codes + ins * token, weights, ins, sums + along * token, along)
            token += many
        while token < tokens:
            more_one(codes + ins * token, weights, ins, sums + along * token, along)
            token += 1

    @njit(error_model="numpy")
    def block_products(n: Any, index: Any) -> Any:
        """Those of one block's rows of weights; returns the first of them and one past the last."""
        start = peek(n, BLOCK) * index
        stop = peek(n, OUTS) if index == peek(n, BLOCKS) - 1 else start + peek(n, BLOCK)
        for first in range(start, stop, rows):
            products(n, min(first, stop - rows))
        return start, stop

    @njit(error_model="numpy")
    def scaled(n: Any, token: Any, out: Any) -> None:
        """One product as a float32: `finish` for where there are fewer than LANES."""
        place = peek(n, MULTIPLIED) + 4 * (peek(n, OUTS) * token + out)
        whole = peek_int(place) - ZERO * peek_int(peek(n, SUMS) + 4 * out)
        value = np.float32(whole) * get(peek(n, SCALES) + 4 * out)
        value = value * get(peek(n, STEPS_AT) + 4 * token)
        if peek(n, RESIDUAL) != 0:
            value = value + get(peek(n, RESIDUAL) + 4 * (peek(n, OUTS) * token + out))
        if peek(n, BIAS) != 0:
            value = value + get(peek(n, BIAS) + 4 * out)
        put(place, value)

    @njit(error_model="numpy")
    def multiply(n: Any) -> None:
        outs, bias = peek(n, OUTS), peek(n, BIAS)
        while True:
            index = claim(n + 8 * NEXT)
            if index >= peek(n, BLOCKS):
                return
            start, stop = block_products(n, index)
            for token in range(peek(n, CODE_ROWS)):
                row, residual = 4 * outs * token, peek(n, RESIDUAL)
                step = get(peek(n, STEPS_AT) + 4 * token)
                for out in range(start, stop - LANES + 1, LANES):
                    finish(
                        peek(n, MULTIPLIED) + row + 4 * out,
                        peek(n, SUMS) + 4 * out,
                        peek(n, SCALES) + 4 * out,
                        step,
                        bias + 4 * out if bias != 0 else 0,
                        residual + row + 4 * out if residual != 0 else 0,
                    )
                for out in range(stop - (stop - start) % LANES, stop):
                    scaled(n, token, out)

    @njit(error_model="numpy")
    def add_up(n: Any) -> None:
        while True:
            index = claim(n + 8 * NEXT)
            if index >= peek(n, BLOCKS):
                return
            block_products(n, index)

    return prepare, multiply, add_up
