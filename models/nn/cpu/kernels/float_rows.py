"""Attention over rows of float32 keys and values: what `attention_kernel` does with a block."""

from typing import Any

from numba import njit

from ..launch import BLOCK_KEYS, DIM, LANES, SCALE, TILE
from ..processor import Processor
from .memory import copy, get, peek, peek_int, put
from .rows import Rows
from .softmax import mask, soften
from .vectors import product

OUT_ROWS = 4  # queries whose values are weighed together


def float_rows(processor: Processor) -> Rows:
    keys_at_once, out_vectors = (8, 4) if processor.registers >= 32 else (2, 1)
    score, score_half = _scoring(keys_at_once, 2), _scoring(2 * keys_at_once, 1)
    weigh, weigh_one = product(OUT_ROWS, out_vectors, True), product(OUT_ROWS, 1, True)

    @njit(error_model="numpy")
    def row_bytes(dim: Any) -> Any:
        return 4 * dim

    @njit(error_model="numpy")
    def keep(n: Any, head: Any, key_row: Any, value_row: Any, key: Any, value: Any) -> None:
        """Store a turned key and a value in their rows."""
        copy(key_row, key, peek(n, DIM))
        copy(value_row, value, peek(n, DIM))

    @njit(error_model="numpy")
    def lay(n: Any, head: Any, query: Any, queries: Any, lane: Any, lanes: Any, dim: Any) -> None:
        """Put a turned query into its lane."""
        scale = get(n + 8 * SCALE)
        for d in range(dim):
            put(queries + 4 * (d * lanes + lane), get(query + 4 * d) * scale)

    @njit(error_model="numpy")
    def lay_nobody(queries: Any, lane: Any, lanes: Any, dim: Any) -> None:
        for d in range(dim):
            put(queries + 4 * (d * lanes + lane), 0.0)

    @njit(error_model="numpy")
    def laid(queries: Any, lanes: Any, dim: Any) -> None:
        """All queries lie there."""

    @njit(error_model="numpy")
    def attend_block(
        keys: Any, values: Any, count: Any, first: Any, dim: Any, slot: Any, queries: Any,
        lanes: Any, partial: Any,
    ) -> None:  # fmt: skip
        """Add a block of `count` keys from position `first` on to a partial."""
        positions, shrink = slot, slot + 4 * lanes
        scores = queries + 4 * lanes * dim
        most, sums, weighed = partial, partial + 4 * lanes, partial + 8 * lanes
        lane = 0
        while lane < lanes:
            width = min(TILE, lanes - lane)
            if first <= peek_int(positions + 4 * (lane + width - 1)):
                if width == TILE:
                    score(scores, keys, count, dim, queries + 4 * lane, lanes)
                else:
                    score_half(scores, keys, count, dim, queries + 4 * lane, lanes)
                for part in range(0, width, LANES):
                    at, tile = 4 * (lane + part), scores + 4 * part
                    if first + count - 1 > peek_int(positions + at):
                        mask(tile, 4 * TILE, count, first, positions + at)
                    soften(tile, 4 * TILE, count, most + at, sums + at, shrink + at)
                for row in range(lane, lane + width, OUT_ROWS):
                    tile, d = scores + 4 * (row - lane), 0
                    place, by = weighed + 4 * row * dim, shrink + 4 * row
                    while d + LANES * out_vectors <= dim:
                        weigh(
                            place + 4 * d, 4 * dim, tile, 4, 4 * TILE, values + 4 * d, 4 * dim,
                            count, by,
                        )  # fmt: skip
                        d += LANES * out_vectors
                    while d < dim:
                        weigh_one(
                            place + 4 * d, 4 * dim, tile, 4, 4 * TILE, values + 4 * d, 4 * dim,
                            count, by,
                        )  # fmt: skip
                        d += LANES
            lane += width

    return Rows(row_bytes, keep, lay, lay_nobody, laid, BLOCK_KEYS, attend_block)


def _scoring(keys_at_once: int, vectors: int) -> Any:
    many, single = product(keys_at_once, vectors, False), product(1, vectors, False)

    @njit(error_model="numpy")
    def score(scores: Any, keys: Any, count: Any, dim: Any, queries: Any, lanes: Any) -> None:
        """Products of so many keys with `vectors` * LANES queries; a key has a row of TILE."""
        key, row = 0, 4 * dim
        while key + keys_at_once <= count:
            place = scores + 4 * TILE * key
            many(place, 4 * TILE, keys + row * key, row, 4, queries, 4 * lanes, dim, 0)
            key += keys_at_once
        while key < count:
            place = scores + 4 * TILE * key
            single(place, 4 * TILE, keys + row * key, row, 4, queries, 4 * lanes, dim, 0)
            key += 1

    return score
