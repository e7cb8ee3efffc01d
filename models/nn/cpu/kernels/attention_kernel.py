"""Attention over all segments of a step in one launch per layer, for any number of tokens.

The keys of each segment are cut into units of `UNIT_KEYS` (flash decoding); a key head and a unit
are one piece of work, which any thread takes. It turns the queries for its segment's offset, goes
over its keys in blocks with an online softmax (FlashAttention, arXiv 2205.14135, section 3.1), and
leaves a partial; who finishes the last unit of a head merges them. In a block, a lane is a query:
nothing is added up across lanes, and keys that a query does not see weigh exactly nothing. So each
query's result is the same to the bit, whatever else is in the step and however many threads there
are. `segment_attention.BySegments` is the specification. What depends on how keys and values are
kept is in `float_rows.py` and `code_rows.py`.
"""

from typing import Any

from numba import njit

from ..launch import (
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
    SCRATCH,
    SEGMENT,
    SIN,
    SLOT,
    SLOT_BYTES,
    TOKEN,
    TOKENS,
    UNIT_KEYS,
    UNITS,
)  # fmt: skip
from ..processor import Element, Processor
from .code_rows import code_rows
from .float_rows import float_rows
from .memory import claim, fill, get, peek, peek_int, put, put_int
from .softmax import exp_of_difference
from .vectors import add_scaled, turn

LOWEST = -1e30  # of a query that has seen no key; finite, so that differences are numbers


def functions(element: Element, processor: Processor) -> tuple[Any, Any]:
    """For keys and values of `element`: `remember(numbers)`, which turns and stores those of the
    step's tokens, and `attend(numbers)`."""
    rows = code_rows(processor) if element == "int8" else float_rows(processor)
    row_bytes, keep, lay, lay_nobody, laid, block_keys, attend_block = rows

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
                value = key + 4 * dim * kv_heads
                keep(
                    n,
                    first_head + head,
                    peek(entry, 1) + there,
                    peek(entry, 2) + there,
                    turned,
                    value,
                )
                key += 4 * dim
            entry += 8 * TOKEN

    @njit(error_model="numpy")
    def lanes_of(n: Any) -> Any:
        """The queries of one key head, in whole vectors."""
        queries = peek(n, TOKENS) * (peek(n, HEADS) // peek(n, KV_HEADS))
        return (queries + LANES - 1) // LANES * LANES

    @njit(error_model="numpy")
    def turn_queries(n: Any, head: Any, offset: Any, slot: Any) -> None:
        """A key head's queries, each in a lane, turned for `position - offset` and scaled."""
        heads, kv_heads, dim = peek(n, HEADS), peek(n, KV_HEADS), peek(n, DIM)
        group, lanes = heads // kv_heads, lanes_of(n)
        turned = slot + 8 * lanes
        entry = n + 8 * (HEADER + kv_heads)
        position = peek(entry, 0)
        lane = 0
        for token in range(peek(n, TOKENS)):
            position = peek(entry, 0)
            angle = 4 * dim * (position - offset)
            query = peek(n, RAW) + 4 * dim * (token * (heads + 2 * kv_heads) + head * group)
            for _ in range(group):
                turn(turned, query, peek(n, COS) + angle, peek(n, SIN) + angle, dim)
                lay(n, head, turned, turned + 4 * dim, lane, lanes, dim)
                put_int(slot + 4 * lane, position)
                query += 4 * dim
                lane += 1
            entry += 8 * TOKEN
        while lane < lanes:  # nobody's, but they must be numbers
            lay_nobody(turned + 4 * dim, lane, lanes, dim)
            put_int(slot + 4 * lane, position)
            lane += 1
        laid(turned + 4 * dim, lanes, dim)

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
    def attend_unit(n: Any, head: Any, unit: Any, segment: Any, own_unit: Any, slot: Any) -> None:
        """Leave a partial: of each query maximum, sum and weighed values."""
        kv_heads, dim, lanes = peek(n, KV_HEADS), peek(n, DIM), lanes_of(n)
        row = row_bytes(dim)
        there = (peek(n, LAYER) * kv_heads + head) * peek(n, HEAD_BYTES)
        start = own_unit * UNIT_KEYS
        stop = min(start + UNIT_KEYS, peek(segment, 2))
        partial = peek(n, PARTIALS) + 4 * (unit * kv_heads + head) * lanes * (dim + 2)
        fill(partial, LOWEST, lanes)
        fill(partial + 4 * lanes, 0.0, lanes * (dim + 1))
        for block in range(start, stop, block_keys):
            first = peek(segment, 3) + block  # position of its keys
            if first > peek_int(slot + 4 * (lanes - 1)):
                return
            keys = peek(segment, 0) + there + row * block
            values = peek(segment, 1) + there + row * block
            count = min(block_keys, stop - block)
            attend_block(
                keys, values, count, first, dim, slot, slot + 8 * lanes + 4 * dim, lanes, partial
            )

    @njit(error_model="numpy")
    def merge(n: Any, head: Any, room: Any) -> None:
        """One head's partials, unit after unit: out = sum of w_i * weighed_i over sum of w_i *
        sum_i, with w_i = exp(most_i - the highest most)."""
        heads, kv_heads, dim = peek(n, HEADS), peek(n, KV_HEADS), peek(n, DIM)
        group, lanes, units = heads // kv_heads, lanes_of(n), peek(n, UNITS)
        queries = peek(n, TOKENS) * group
        highest = room
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
        slot = peek(n, SCRATCH) + claim(n + 8 * SLOT) * peek(n, SLOT_BYTES)
        turned_head, turned_offset = -1, 0  # of the queries that lie there
        while True:
            task = claim(n + 8 * NEXT)
            if task >= units * kv_heads:
                return
            head, unit = task // units, task % units
            segment, own_unit = find_segment(n, unit)
            offset = peek(segment, 4)
            if head != turned_head or offset != turned_offset:
                turn_queries(n, head, offset, slot)
                turned_head, turned_offset = head, offset
            attend_unit(n, head, unit, segment, own_unit, slot)
            if claim(n + 8 * (HEADER + head)) == units - 1:
                merge(n, head, slot)
                turned_head = -1  # merging needs the room

    return remember, attend
