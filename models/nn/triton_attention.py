"""Attention of a few tokens over all their segments in three launches: turn and store the new keys
and values, attend in splits, merge the splits.

Queries are turned inside the kernel, once for their own position and then back by each segment's
offset, in float32. The blocks of all segments are dealt out to the splits in turn, so that a long
segment does not wait for one program (flash decoding). A token sees the keys at positions not after
its own, whatever segment they are in: that covers earlier text, the step's own tokens and steps of
several parts. Everything that changes from step to step is read from `segment_table`'s integers.
`segment_attention.BySegments` is the specification.

`segment_table` gives a step and the segments it sees as plain integers, which the kernels read from
memory.

Addresses, lengths and positions are data to the kernels, so one recorded CUDA graph serves every
file, every edit and arenas that have grown since. All of it is one list, copied at once:

    HEADER            number of segments, address of the cosines, of the sines, position of row 0
    tokens  x TOKEN   position, address of its key, of its value, elements between two heads
    segments x SEGMENT  address of the first key, of the first value, elements between two heads,
                        length, position of the first token, row of the cosines to turn back by

Addresses are those of layer 0 and head 0; a layer is `kv_heads` heads further. A token that only
fills a bucket has address 0 and sees nothing.
"""

# Triton's compile-time constants are plain numbers to their callers.
# pyright: reportArgumentType=false, reportOperatorIssue=false

from collections.abc import Iterator

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...cache.pool import Arena
from ...cache.rope import RotaryTable
from ...cache.segment import Segment, Step
from .segment_attention import Heads
from .staging import staged

HEADER, TOKEN, SEGMENT = 4, 4, 6
NOWHERE = (-1, 0, 0, 0)  # a token that is not there
EMPTY = (0, 0, 0, 0, 0, 0)  # a segment that is not there


def table_length(tokens: int, segments: int) -> int:
    return HEADER + tokens * TOKEN + segments * SEGMENT


def segment_table(
    step: Step, arena: Arena, table: RotaryTable, tokens: int, segments: int
) -> list[int]:
    """The integers for `step`, filled up to `tokens` and `segments`.

    Covers the angles it names, and is good until `arena`, or one that is shown, is resized.
    """
    assert len(step) <= tokens, (len(step), tokens)
    assert len(step.visible) <= segments, (len(step.visible), segments)
    positions = [p for part in step.parts for p in part.positions]
    backwards = [-segment.offset for segment in step.visible]
    table.rows(range(min([0, *backwards]), max([*positions, *backwards]) + 1))
    found = [len(step.visible), table.cos.data_ptr(), table.sin.data_ptr(), table.first]
    for part in step.parts:
        for index, position in enumerate(part.positions):
            found += (position, *_row(arena, part.row + index))
    found += NOWHERE * (tokens - len(step))
    for segment in step.visible:
        found += _entry(segment, arena, table)
    found += EMPTY * (segments - len(step.visible))
    return found


def _entry(segment: Segment, arena: Arena, table: RotaryTable) -> Iterator[int]:
    yield from _row(arena, segment.start)
    yield from (segment.length, segment.position, -segment.offset - table.first)


def _row(arena: Arena, row: int) -> tuple[int, int, int]:
    """Where a row's key and value are in layer 0 and head 0, and how far the next head is."""
    _, _, rows, head_dim = arena.keys.shape
    assert row < rows, (row, rows)
    at = row * head_dim * arena.keys.element_size()
    return arena.keys.data_ptr() + at, arena.values.data_ptr() + at, rows * head_dim


BLOCK_KEYS = 64
MOST_ROWS = 64  # query rows of one program: tokens times the query heads of a key head
MOST_SPLITS = 64
LAUNCH = {"num_warps": 4, "num_stages": 2}  # a third stage: more shared memory than small GPUs
FEW_SEGMENTS = 64  # room for so many in a table that is kept; a step that sees more gets its own


class StepKernels:
    """`StepAttention` for steps of up to `tokens` tokens and `segments` segments. `show` says
    which step is meant; its memory stays in one place, so that its launches can be recorded."""

    def __init__(
        self,
        heads: Heads,
        table: RotaryTable,
        tokens: int,
        segments: int = FEW_SEGMENTS,
        splits: int | None = None,
    ):
        self.heads, self.table = heads, table
        self.tokens, self.segments = tokens, segments
        rows = tokens * heads.group
        self.splits = splits or splits_for(_processors(table.device), heads.kv_heads)
        with torch.inference_mode(False):
            self.ints = torch.zeros(
                table_length(tokens, segments), dtype=torch.int64, device=table.device
            )
            shape = (heads.kv_heads, self.splits, rows)
            self.partials = torch.empty((*shape, heads.head_dim), device=table.device)
            self.sums = torch.empty(shape, device=table.device)  # log2 of the sum of exponentials

    def show(self, step: Step, arena: Arena) -> "StepKernels":
        """Mean this step from now on."""
        found = segment_table(step, arena, self.table, self.tokens, self.segments)
        self.ints.copy_(staged(found, self.ints.device))
        return self

    def __call__(self, raw: Tensor, layer: int) -> Tensor:
        h, (tokens, _, head_dim) = self.heads, raw.shape
        assert tokens <= self.tokens, (tokens, self.tokens)
        raw = raw.contiguous()
        result = torch.empty(tokens, h.heads * head_dim, dtype=raw.dtype, device=raw.device)
        shape = {"HEADS": h.heads, "KV_HEADS": h.kv_heads, "DIM": head_dim}
        columns = {"HEADER_": HEADER, "TOKEN_": TOKEN, "SEGMENT_": SEGMENT}
        rows = tokens * h.group
        block_rows = max(16, triton.next_power_of_2(min(MOST_ROWS, rows)))
        _store[(tokens, h.kv_heads)](raw, self.ints, layer, **shape, **columns)
        _attend[(triton.cdiv(rows, block_rows), h.kv_heads, self.splits)](
            raw, self.ints, self.partials, self.sums, layer, h.scale * LOG2_E, rows,
            **shape, **columns, ROOM=self.tokens, SPLITS=self.splits,
            BLOCK_ROWS=block_rows, BLOCK_KEYS=BLOCK_KEYS, **LAUNCH,
        )  # fmt: skip
        _merge[(tokens, h.heads)](
            self.partials, self.sums, result, rows, **shape, SPLITS=self.splits
        )
        return result


LOG2_E = 1.4426950408889634


def splits_for(processors: int, kv_heads: int) -> int:
    """Splits per key head, a power of two: about two programs for each of the device's
    processors, so that the memory is kept busy by one token too."""
    return min(MOST_SPLITS, triton.next_power_of_2(max(1, 2 * processors // kv_heads)))


def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count


@triton.jit(do_not_specialize=["layer"])
def _store(
    raw, ints, layer,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr,
    HEADER_: tl.constexpr, TOKEN_: tl.constexpr, SEGMENT_: tl.constexpr,
):  # fmt: skip
    """One token and key head: turn the key, and put key and value where the token's row is."""
    token, head = tl.program_id(0), tl.program_id(1)
    entry = ints + HEADER_ + token * TOKEN_
    position = tl.load(entry)
    half = tl.arange(0, DIM // 2)
    if position >= 0:
        row = position - tl.load(ints + 3)
        cosines = tl.load(ints + 1).to(tl.pointer_type(tl.float32)) + row * DIM + DIM // 2
        sines = tl.load(ints + 2).to(tl.pointer_type(tl.float32)) + row * DIM + DIM // 2
        cos, sin = tl.load(cosines + half), tl.load(sines + half)
        at = (layer * KV_HEADS + head) * tl.load(entry + 3)
        kind = tl.pointer_type(raw.dtype.element_ty)
        key = raw + (token * (HEADS + 2 * KV_HEADS) + HEADS + head) * DIM
        first, second = tl.load(key + half).to(tl.float32), tl.load(key + DIM // 2 + half)
        second = second.to(tl.float32)
        keys = tl.multiple_of(tl.load(entry + 1).to(kind) + at, 16)
        tl.store(keys + half, (first * cos - second * sin).to(raw.dtype.element_ty))
        tl.store(keys + DIM // 2 + half, (second * cos + first * sin).to(raw.dtype.element_ty))
        whole = tl.arange(0, DIM)
        values = tl.multiple_of(tl.load(entry + 2).to(kind) + at, 16)
        tl.store(values + whole, tl.load(key + KV_HEADS * DIM + whole))


@triton.jit(do_not_specialize=["layer", "rows"])
def _attend(
    raw, ints, partials, sums, layer, scale, rows,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr,
    HEADER_: tl.constexpr, TOKEN_: tl.constexpr, SEGMENT_: tl.constexpr,
    ROOM: tl.constexpr, SPLITS: tl.constexpr,
    BLOCK_ROWS: tl.constexpr, BLOCK_KEYS: tl.constexpr,
):  # fmt: skip
    """Some query rows of one key head over every SPLITS-th block of keys. A row is a token and one
    of the query heads that share the key head."""
    kv_head, split = tl.program_id(1), tl.program_id(2)
    kind = raw.dtype.element_ty
    half, whole = tl.arange(0, DIM // 2), tl.arange(0, DIM)
    row = tl.program_id(0) * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    real = row < rows
    group: tl.constexpr = HEADS // KV_HEADS
    token, head = row // group, row % group + kv_head * group
    position = tl.load(ints + HEADER_ + token * TOKEN_, mask=real, other=-1)

    # The queries, turned for their own positions.
    zero = tl.load(ints + 3)
    cosines = tl.load(ints + 1).to(tl.pointer_type(tl.float32)) + DIM // 2
    sines = tl.load(ints + 2).to(tl.pointer_type(tl.float32)) + DIM // 2
    turn = (position - zero)[:, None] * DIM + half[None, :]
    there = real & (position >= 0)
    cos = tl.load(cosines + turn, mask=there[:, None], other=0.0)
    sin = tl.load(sines + turn, mask=there[:, None], other=0.0)
    query = raw + (token * (HEADS + 2 * KV_HEADS) + head)[:, None] * DIM + half[None, :]
    low = tl.load(query, mask=there[:, None], other=0.0).to(tl.float32)
    high = tl.load(query + DIM // 2, mask=there[:, None], other=0.0).to(tl.float32)
    query_low, query_high = low * cos - high * sin, high * cos + low * sin

    top = tl.full([BLOCK_ROWS], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_ROWS], tl.float32)
    mixed = tl.zeros([BLOCK_ROWS, DIM], tl.float32)
    dealt = 0  # blocks of the segments before
    for segment in range(tl.load(ints).to(tl.int32)):
        entry = ints + HEADER_ + ROOM * TOKEN_ + segment * SEGMENT_
        length = tl.load(entry + 3).to(tl.int32)
        blocks = (length + BLOCK_KEYS - 1) // BLOCK_KEYS
        start = (split + SPLITS - dealt % SPLITS) % SPLITS  # the first block that is ours
        dealt += blocks
        if start < blocks:
            at = (layer * KV_HEADS + kv_head) * tl.load(entry + 2)
            keys = tl.multiple_of(tl.load(entry).to(tl.pointer_type(kind)) + at, 16)
            values = tl.multiple_of(tl.load(entry + 1).to(tl.pointer_type(kind)) + at, 16)
            begins = tl.load(entry + 4)
            back = tl.load(entry + 5) * DIM + half
            cos_back, sin_back = tl.load(cosines + back)[None, :], tl.load(sines + back)[None, :]
            turned_low = (query_low * cos_back - query_high * sin_back).to(kind)
            turned_high = (query_high * cos_back + query_low * sin_back).to(kind)
            for block in range(start, blocks, SPLITS):
                index = block * BLOCK_KEYS + tl.arange(0, BLOCK_KEYS)
                inside = index < length
                key = keys + index[None, :] * DIM + half[:, None]
                key_low = tl.load(key, mask=inside[None, :], other=0.0)
                key_high = tl.load(key + DIM // 2, mask=inside[None, :], other=0.0)
                scores = tl.dot(turned_low, key_low, input_precision="ieee")
                scores += tl.dot(turned_high, key_high, input_precision="ieee")
                seen = inside[None, :] & (begins + index[None, :] <= position[:, None])
                scores = tl.where(seen, scores * scale, float("-inf"))
                above = tl.maximum(top, tl.max(scores, 1))
                base = tl.where(above == float("-inf"), 0.0, above)  # nothing seen so far
                weights = tl.exp2(scores - base[:, None])
                shrink = tl.exp2(top - base)
                value = values + index[:, None] * DIM + whole[None, :]
                value = tl.load(value, mask=inside[:, None], other=0.0)
                mixed = mixed * shrink[:, None]
                mixed += tl.dot(weights.to(kind), value, input_precision="ieee")
                total = total * shrink + tl.sum(weights, 1)
                top = above
    out = (kv_head * SPLITS + split) * rows + row
    divisor = tl.where(total > 0, total, 1.0)  # of a row that saw nothing here
    tl.store(sums + out, tl.where(total > 0, top + tl.log2(divisor), float("-inf")), mask=real)
    mixed = mixed / divisor[:, None]
    tl.store(partials + out[:, None] * DIM + whole[None, :], mixed, mask=real[:, None])


@triton.jit(do_not_specialize=["rows"])
def _merge(
    partials, sums, result, rows,
    HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    """One token and query head: the splits, weighed by what they had seen."""
    token, head = tl.program_id(0), tl.program_id(1)
    group: tl.constexpr = HEADS // KV_HEADS
    split, whole = tl.arange(0, SPLITS), tl.arange(0, DIM)
    row = (head // group * SPLITS + split) * rows + token * group + head % group
    had = tl.load(sums + row)
    top = tl.max(had, 0)
    weights = tl.exp2(had - tl.where(top == float("-inf"), 0.0, top))
    weights = weights / tl.where(top == float("-inf"), 1.0, tl.sum(weights, 0))
    parts = tl.load(
        partials + row[:, None] * DIM + whole[None, :],
        mask=(had > float("-inf"))[:, None], other=0.0,
    )  # fmt: skip
    mixed = tl.sum(parts * weights[:, None], 0)
    out = result + (token * HEADS + head) * DIM + whole
    tl.store(out, mixed.to(result.dtype.element_ty))
