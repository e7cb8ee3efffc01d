"""Attention over all segments of a step in one launch per layer, for any number of tokens.

The keys of each segment are cut into units of `UNIT_KEYS` (flash decoding); a unit and a key head
are one piece of work, which any thread takes. It turns the queries for its segment's offset, goes
over its keys in blocks with an online softmax (FlashAttention, arXiv 2205.14135, section 3.1), and
leaves a partial; who finishes the last unit of a head merges them. In a block, a lane is a query:
nothing is added up across lanes, and keys that a query does not see weigh exactly nothing. So each
query's result is the same to the bit, whatever else is in the step and however many threads there
are. `segment_attention.BySegments` is the specification.
"""

from typing import Any

from numba import njit

from .launch import (
    BLOCK_KEYS,
    COS,
    DIM,
    HEAD_BYTES,
    HEADER,
    HEADS,
    KV_HEADS,
    LANES,
    LAYER,
    NEXT,
    PARTIALS,
    RAW,
    RESULT,
    SCALE,
    SCRATCH,
    SEGMENT,
    SIN,
    SLOT,
    SLOT_BYTES,
    TILE,
    TOKEN,
    TOKENS,
    UNIT_KEYS,
    UNITS,
)  # fmt: skip
from .memory import claim, fill, get, narrowing, peek, peek_int, put, put_int, widening
from .processor import Element
from .vectors import add_scaled, exp_of_difference, mask, product, soften, turn

LOWEST = -1e30  # of a query that has seen no key; finite, so that differences are numbers
OUT_ROWS = 4  # queries whose values are weighed together


def functions(element: Element, registers: int) -> tuple[Any, Any]:
    """For keys and values of `element`: `remember(numbers)`, which turns and stores those of the
    step's tokens, and `attend(numbers)`. `registers`: vectors of LANES that the processor holds."""
    size = 4 if element == "float32" else 2
    widen, narrow = widening(element), narrowing(element)
    keys_at_once, out_vectors = (8, 4) if registers >= 32 else (2, 1)
    score, score_half = _scoring(keys_at_once, 2), _scoring(2 * keys_at_once, 1)
    weigh, weigh_one = product(OUT_ROWS, out_vectors, True), product(OUT_ROWS, 1, True)

    @njit(error_model="numpy")
    def remember(n: Any) -> None:
        heads, kv_heads, dim = peek(n, HEADS), peek(n, KV_HEADS), peek(n, DIM)
        head_bytes, turned = peek(n, HEAD_BYTES), peek(n, SCRATCH)
        first_head = peek(n, LAYER) * kv_heads
        entry = n + 8 * (HEADER + kv_heads)
        for token in range(peek(n, TOKENS)):
            angle = 4 * dim * peek(entry, 0)
            key = peek(n, RAW) + 4 * dim * (token * (heads + 2 * kv_heads) + heads)
            for head in range(kv_heads):
                there = (first_head + head) * head_bytes
                turn(turned, key, peek(n, COS) + angle, peek(n, SIN) + angle, dim)
                narrow(peek(entry, 1) + there, turned, dim)
                narrow(peek(entry, 2) + there, key + 4 * dim * kv_heads, dim)
                key += 4 * dim
            entry += 8 * TOKEN

    @njit(error_model="numpy")
    def lanes_of(n: Any) -> Any:
        """The queries of one key head, in whole vectors."""
        queries = peek(n, TOKENS) * (peek(n, HEADS) // peek(n, KV_HEADS))
        return (queries + LANES - 1) // LANES * LANES

    @njit(error_model="numpy")
    def turn_queries(
        n: Any, head: Any, offset: Any, queries: Any, positions: Any, turned: Any
    ) -> None:
        """A key head's queries, each in a lane, turned for `position - offset` and scaled."""
        heads, kv_heads, dim = peek(n, HEADS), peek(n, KV_HEADS), peek(n, DIM)
        group, lanes = heads // kv_heads, lanes_of(n)
        scale = get(n + 8 * SCALE)
        entry = n + 8 * (HEADER + kv_heads)
        position = peek(entry, 0)
        lane = 0
        for token in range(peek(n, TOKENS)):
            position = peek(entry, 0)
            angle = 4 * dim * (position - offset)
            query = peek(n, RAW) + 4 * dim * (token * (heads + 2 * kv_heads) + head * group)
            for _ in range(group):
                turn(turned, query, peek(n, COS) + angle, peek(n, SIN) + angle, dim)
                for d in range(dim):
                    put(queries + 4 * (d * lanes + lane), get(turned + 4 * d) * scale)
                put_int(positions + 4 * lane, position)
                query += 4 * dim
                lane += 1
            entry += 8 * TOKEN
        while lane < lanes:  # nobody's, but they must be numbers
            for d in range(dim):
                put(queries + 4 * (d * lanes + lane), 0.0)
            put_int(positions + 4 * lane, position)
            lane += 1

    @njit(error_model="numpy")
    def find_segment(n: Any, unit: Any) -> Any:
        """The address of the segment that a unit is of, and which of its units that is."""
        segment = n + 8 * (HEADER + peek(n, KV_HEADS) + TOKEN * peek(n, TOKENS))
        units = (peek(segment, 2) + UNIT_KEYS - 1) // UNIT_KEYS
        while unit >= units:
            unit -= units
            segment += 8 * SEGMENT
            units = (peek(segment, 2) + UNIT_KEYS - 1) // UNIT_KEYS
        return segment, unit

    @njit(error_model="numpy")
    def attend_unit(n: Any, head: Any, unit: Any, slot: Any) -> None:
        kv_heads, dim, lanes = peek(n, KV_HEADS), peek(n, DIM), lanes_of(n)
        segment, own_unit = find_segment(n, unit)
        position, offset = peek(segment, 3), peek(segment, 4)
        there = (peek(n, LAYER) * kv_heads + head) * peek(n, HEAD_BYTES)
        start = own_unit * UNIT_KEYS
        stop = min(start + UNIT_KEYS, peek(segment, 2))

        queries = peek(n, SCRATCH) + slot * peek(n, SLOT_BYTES)
        scores = queries + 4 * lanes * dim
        keys = scores + 4 * BLOCK_KEYS * TILE
        values = keys + 4 * BLOCK_KEYS * dim
        positions = values + 4 * BLOCK_KEYS * dim
        shrink = positions + 4 * lanes
        turn_queries(n, head, offset, queries, positions, shrink + 4 * lanes)

        most = peek(n, PARTIALS) + 4 * (unit * kv_heads + head) * lanes * (dim + 2)
        sums = most + 4 * lanes
        weighed = sums + 4 * lanes
        fill(most, LOWEST, lanes)
        fill(sums, 0.0, lanes)
        fill(weighed, 0.0, lanes * dim)
        for block in range(start, stop, BLOCK_KEYS):
            first = position + block  # of its keys
            if first > peek_int(positions + 4 * (lanes - 1)):
                return
            count = min(BLOCK_KEYS, stop - block)
            widen(keys, peek(segment, 0) + there + size * dim * block, count * dim)
            widen(values, peek(segment, 1) + there + size * dim * block, count * dim)
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

    @njit(error_model="numpy")
    def merge(n: Any, head: Any, slot: Any) -> None:
        """One head's partials, unit after unit: out = sum of w_i * weighed_i over sum of w_i *
        sum_i, with w_i = exp(most_i - the highest most)."""
        heads, kv_heads, dim = peek(n, HEADS), peek(n, KV_HEADS), peek(n, DIM)
        group, lanes, units = heads // kv_heads, lanes_of(n), peek(n, UNITS)
        queries = peek(n, TOKENS) * group
        highest = peek(n, SCRATCH) + slot * peek(n, SLOT_BYTES)
        sums, shares = highest + 4 * lanes, highest + 8 * lanes
        first = peek(n, PARTIALS) + 4 * head * lanes * (dim + 2)
        partial = 4 * kv_heads * lanes * (dim + 2)
        for lane in range(lanes):
            most = get(first + 4 * lane)
            for unit in range(1, units):
                most = max(most, get(first + unit * partial + 4 * lane))
            put(highest + 4 * lane, most)
        fill(sums, 0.0, lanes)
        result = peek(n, RESULT) + 4 * dim * head * group
        for token in range(peek(n, TOKENS)):
            fill(result + 4 * dim * heads * token, 0.0, group * dim)
        for unit in range(units):
            most_of = first + unit * partial
            for lane in range(0, lanes, LANES):
                exp_of_difference(shares + 4 * lane, most_of + 4 * lane, highest + 4 * lane)
            for query in range(queries):
                share = get(shares + 4 * query)
                if share != 0.0:
                    sum_ = get(most_of + 4 * (lanes + query))
                    put(sums + 4 * query, get(sums + 4 * query) + share * sum_)
                    place = result + 4 * dim * (query // group * heads + query % group)
                    add_scaled(place, most_of + 4 * (2 * lanes + query * dim), share, dim)
        for query in range(queries):
            place = result + 4 * dim * (query // group * heads + query % group)
            sum_ = get(sums + 4 * query)
            for d in range(dim):
                put(place + 4 * d, get(place + 4 * d) / sum_)

    @njit(error_model="numpy")
    def attend(n: Any) -> None:
        kv_heads, units = peek(n, KV_HEADS), peek(n, UNITS)
        slot = claim(n + 8 * SLOT)
        while True:
            task = claim(n + 8 * NEXT)
            if task >= units * kv_heads:
                return
            head = task % kv_heads
            attend_unit(n, head, task // kv_heads, slot)
            if claim(n + 8 * (HEADER + head)) == units - 1:
                merge(n, head, slot)

    return remember, attend


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
