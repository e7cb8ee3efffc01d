"""Attention over rows of keys and values in eight bits: what `attention_kernel` does with a block.

A row is a code for each channel, ZERO higher, and behind them the step between two (bfloat16).
Channels of keys are divided by factors before they are rounded, and those of queries multiplied.
A query has a step of its own; so has each block's weights of a query, in which the steps of values
are contained. Sums of products are whole numbers.
"""

from typing import Any

import numpy as np
from numba import njit

from ..launch import (
    CODE_BLOCK_KEYS,
    DIM,
    KEY_FACTORS,
    KV_HEADS,
    LANES,
    LAYER,
    QUERY_FACTORS,
    SCALE,
    STEP_BYTES,
    TILE,
)  # fmt: skip
from ..processor import Processor
from .broadcasts import excess_of, scoring, weighing
from .codes import CODES, PRODUCTS, Products
from .memory import (
    ask_for,
    encode,
    fill,
    get,
    interleave,
    peek,
    peek_int,
    put,
    put_int,
    put_step,
    step_at,
)
from .rows import Rows
from .softmax import mask, rounding, soften_scaled
from .vectors import largest, scale_by

OUT_ROWS = 4  # queries whose values are weighed together
SIGNED = 0x80808080  # makes signed numbers of four codes
HUGEST_STEP = 2.0**60  # of a row: products stay numbers


def code_rows(processor: Processor) -> Rows:
    assert processor.dot is not None
    how = PRODUCTS[processor.dot]
    keys_at_once, out_vectors = (8, 4) if how.lanes == LANES else (2, 1)
    score, score_half = _scoring(how, keys_at_once, 2), _scoring(how, 2 * keys_at_once, 1)
    weigh, weigh_one = weighing(how, OUT_ROWS, out_vectors), weighing(how, OUT_ROWS, 1)
    excess, round_off = excess_of(how), rounding(processor.weight_codes)
    query_codes = processor.query_codes

    @njit(error_model="numpy")
    def row_bytes(dim: Any) -> Any:
        return dim + STEP_BYTES

    @njit(error_model="numpy")
    def magnitude(x: Any, dim: Any, lanes: Any) -> Any:
        """The largest of a vector; no number where one is none."""
        largest(x, dim, lanes)
        most, doubt = get(lanes), np.float32(0.0)
        for lane in range(LANES):
            most = max(most, get(lanes + 4 * lane))
            doubt += get(lanes + 4 * lane) * np.float32(0.0)
        return most + doubt

    @njit(error_model="numpy")
    def store_row(row: Any, x: Any, dim: Any, lanes: Any) -> None:
        """What is no number makes a row of nothing."""
        step = magnitude(x, dim, lanes) / np.float32(CODES)
        if not step < np.float32(np.inf):
            step = np.float32(0.0)
        step = put_step(row + dim, min(step, np.float32(HUGEST_STEP)))
        encode(row, x, step, dim)

    @njit(error_model="numpy")
    def keep(n: Any, head: Any, key_row: Any, value_row: Any, key: Any, value: Any) -> None:
        """Store a turned key and a value in their rows."""
        dim = peek(n, DIM)
        lanes = key + 4 * dim
        scale_by(key, key, peek(n, KEY_FACTORS) + 4 * dim * head, np.float32(1.0), dim)
        store_row(key_row, key, dim, lanes)
        store_row(value_row, value, dim, lanes)

    @njit(error_model="numpy")
    def lay(n: Any, head: Any, query: Any, room: Any, lane: Any, lanes: Any, dim: Any) -> None:
        """Put a turned query into its lane."""
        coded, largests = room, room + dim
        steps = largests + 4 * LANES
        queries = steps + 8 * lanes
        factors = peek(n, QUERY_FACTORS) + 4 * dim * (peek(n, LAYER) * peek(n, KV_HEADS) + head)
        scale_by(query, query, factors, get(n + 8 * SCALE), dim)
        step = magnitude(query, dim, largests) / np.float32(query_codes)
        put(steps + 4 * lane, step)
        encode(coded, query, step, dim)
        for d in range(0, dim, 4):
            put_int(queries + d * lanes + 4 * lane, peek_int(coded + d) ^ SIGNED)

    @njit(error_model="numpy")
    def lay_nobody(room: Any, lane: Any, lanes: Any, dim: Any) -> None:
        steps = room + dim + 4 * LANES
        queries = steps + 8 * lanes
        put(steps + 4 * lane, 0.0)
        for d in range(0, dim, 4):
            put_int(queries + d * lanes + 4 * lane, 0)

    @njit(error_model="numpy")
    def laid(room: Any, lanes: Any, dim: Any) -> None:
        """All queries lie there."""
        begin = room + dim + 4 * LANES + 4 * lanes
        queries = begin + 4 * lanes
        for lane in range(0, lanes, LANES):
            excess(begin + 4 * lane, queries + 4 * lane, 4 * lanes, dim // 4)

    @njit(error_model="numpy")
    def attend_block(
        keys: Any, values: Any, count: Any, first: Any, dim: Any, slot: Any, room: Any,
        lanes: Any, partial: Any,
    ) -> None:  # fmt: skip
        """Add a block of `count` keys from position `first` on to a partial."""
        positions, shrink = slot, slot + 4 * lanes
        query_steps = room + dim + 4 * LANES
        begin = query_steps + 4 * lanes
        queries = begin + 4 * lanes
        scores = queries + lanes * dim
        weights = scores + 4 * CODE_BLOCK_KEYS * TILE
        tops = weights + CODE_BLOCK_KEYS * TILE
        weight_steps = tops + 4 * TILE
        key_steps = weight_steps + 4 * TILE
        value_steps = key_steps + 4 * CODE_BLOCK_KEYS
        columns = value_steps + 4 * CODE_BLOCK_KEYS
        most, sums, weighed = partial, partial + 4 * lanes, partial + 8 * lanes

        row = dim + STEP_BYTES
        fours = (count + 3) // 4
        for key in range(count):  # and those of the next block are asked for
            for rows in (keys, values):
                for line in range(0, row, 64):
                    ask_for(rows + row * (key + CODE_BLOCK_KEYS) + line)
            put(key_steps + 4 * key, step_at(keys + row * key + dim))
            put(value_steps + 4 * key, step_at(values + row * key + dim))
        for key in range(0, count, 4):
            interleave(
                columns + key * dim, values + row * key, values + row * min(key + 1, count - 1),
                values + row * min(key + 2, count - 1), values + row * min(key + 3, count - 1), dim,
            )  # fmt: skip
        lane = 0
        while lane < lanes:
            width = min(TILE, lanes - lane)
            if first <= peek_int(positions + 4 * (lane + width - 1)):
                begun, by = begin + 4 * lane, query_steps + 4 * lane
                if width == TILE:
                    score(scores, keys, count, dim, queries + 4 * lane, lanes, begun, key_steps, by)
                else:
                    score_half(
                        scores, keys, count, dim, queries + 4 * lane, lanes, begun, key_steps, by
                    )
                for part in range(0, width, LANES):
                    at, tile = 4 * (lane + part), scores + 4 * part
                    if first + count - 1 > peek_int(positions + at):
                        mask(tile, 4 * TILE, count, first, positions + at)
                    soften_scaled(
                        tile, 4 * TILE, count, most + at, sums + at, shrink + at, value_steps,
                        tops + 4 * part,
                    )  # fmt: skip
                    for key in range(count, 4 * fours):
                        fill(tile + 4 * TILE * key, 0.0, LANES)
                    round_off(
                        weights + 4 * part, 4 * TILE, tile, 4 * TILE, fours, tops + 4 * part,
                        weight_steps + 4 * part,
                    )  # fmt: skip
                for query in range(0, width, OUT_ROWS):
                    own, d = weights + 4 * query, 0
                    place, by = weighed + 4 * (lane + query) * dim, shrink + 4 * (lane + query)
                    step = weight_steps + 4 * query
                    while d + LANES * out_vectors <= dim:
                        weigh(
                            place + 4 * d,
                            4 * dim,
                            own,
                            4 * TILE,
                            columns + 4 * d,
                            4 * dim,
                            fours,
                            by,
                            step,
                        )
                        d += LANES * out_vectors
                    while d < dim:
                        weigh_one(
                            place + 4 * d,
                            4 * dim,
                            own,
                            4 * TILE,
                            columns + 4 * d,
                            4 * dim,
                            fours,
                            by,
                            step,
                        )
                        d += LANES
            lane += width

    return Rows(row_bytes, keep, lay, lay_nobody, laid, CODE_BLOCK_KEYS, attend_block)


def _scoring(how: Products, keys_at_once: int, vectors: int) -> Any:
    many, single = scoring(how, keys_at_once, vectors), scoring(how, 1, vectors)

    @njit(error_model="numpy")
    def score(
        scores: Any, keys: Any, count: Any, dim: Any, queries: Any, lanes: Any, begin: Any,
        key_steps: Any, query_steps: Any,
    ) -> None:  # fmt: skip
        """Scores of so many keys with `vectors` * LANES queries; a key has a row of TILE."""
        key, row, fours = 0, dim + STEP_BYTES, dim // 4
        while key + keys_at_once <= count:
            place, code, by = scores + 4 * TILE * key, keys + row * key, key_steps + 4 * key
            many(place, 4 * TILE, code, row, queries, 4 * lanes, fours, begin, by, query_steps)
            key += keys_at_once
        while key < count:
            place, code, by = scores + 4 * TILE * key, keys + row * key, key_steps + 4 * key
            single(place, 4 * TILE, code, row, queries, 4 * lanes, fours, begin, by, query_steps)
            key += 1

    return score
