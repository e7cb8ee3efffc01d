"""A step and the segments it sees as plain integers, for kernels that read them from memory.

Addresses, lengths and positions are data to the kernels, so one recorded CUDA graph serves every
file, every edit and arenas that have grown since. All of it is one list, copied at once:

    HEADER            number of segments, address of the cosines, of the sines, position of row 0
    tokens  x TOKEN   position, address of its key, of its value, elements between two heads
    segments x SEGMENT  address of the first key, of the first value, elements between two heads,
                        length, position of the first token, row of the cosines to turn back by

Addresses are those of layer 0 and head 0; a layer is `kv_heads` heads further. A token that only
fills a bucket has address 0 and sees nothing.
"""

from collections.abc import Iterator

from ..cache.pool import Arena
from ..cache.rope import RotaryTable
from ..cache.segment import Segment, Step

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
    yield from _row(segment.shared or arena, segment.start)
    yield from (segment.length, segment.position, -segment.offset - table.first)


def _row(arena: Arena, row: int) -> tuple[int, int, int]:
    """Where a row's key and value are in layer 0 and head 0, and how far the next head is."""
    _, _, rows, head_dim = arena.keys.shape
    assert row < rows, (row, rows)
    at = row * head_dim * arena.keys.element_size()
    return arena.keys.data_ptr() + at, arena.values.data_ptr() + at, rows * head_dim
