"""Random steps over random segments, filled with noise."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from keyturn.cache.element import Codes, Element, Floats
from keyturn.cache.pool import Arena
from keyturn.cache.rope import RotaryTable, plain_rope
from keyturn.cache.segment import Part, Segment, Step
from keyturn.models.nn.segment_attention import Heads

LAYERS = 2
LAYER = 1  # the one that tests look at
FLOAT32 = Floats(torch.float32)


@dataclass(frozen=True)
class Case:
    """`pieces`: (length, offset) of the segments before the step's parts; a part of so many queries
    stands after as many of them as `after` says."""

    heads: Heads
    pieces: list[tuple[int, int]]
    parts: list[tuple[int, int]]  # (after, queries), ascending
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    kv_heads, group = draw(st.sampled_from([(1, 1), (2, 1), (2, 2), (1, 6), (1, 7)]))
    head_dim = draw(st.sampled_from([64, 128]))
    heads = Heads(kv_heads * group, kv_heads, head_dim, head_dim**-0.5)
    lengths = st.one_of(st.integers(1, 20), st.integers(60, 200))
    piece = st.tuples(lengths, st.integers(-40, 900))
    pieces = draw(st.lists(piece, max_size=5))
    queries = draw(st.sampled_from([1, 2, 3, 5, 16]))
    last = (len(pieces), draw(st.integers(1, queries)))
    early = queries - last[1]
    parts = [(draw(st.integers(0, len(pieces))), early), last] if early else [last]
    return Case(heads, pieces, parts, draw(st.integers(0, 99)))


def build(case: Case, element: Element = FLOAT32) -> tuple[Step, Arena, RotaryTable]:
    """The step of a case, its arena and the rotary table; everything before it is stored."""
    torch.manual_seed(case.seed)
    h = case.heads
    table = RotaryTable(plain_rope(h.head_dim, 1e4), torch.device("cpu"))
    total = sum(length + 1 for length, _ in case.pieces)
    queries = sum(queries for _, queries in case.parts)
    arena = Arena(LAYERS, h.kv_heads, h.head_dim, element, table, total + queries + 16)
    for layer in range(LAYERS):
        arena.write(layer, 0, *torch.randn(2, arena.rows, h.kv_heads, h.head_dim))
    visible, parts = [], []
    position, row = 0, 3
    waiting = list(case.parts)
    for index in range(len(case.pieces) + 1):
        while waiting and waiting[0][0] == index:
            _, queries = waiting.pop(0)
            parts.append(Part(range(position, position + queries), row))
            visible.append(Segment(row, queries, position))
            position, row = position + queries, row + queries
        if index == len(case.pieces):
            break
        length, offset = case.pieces[index]
        visible.append(Segment(row, length, position - offset, offset))
        row, position = row + length + 1, position + length
    return Step(tuple(parts), tuple(visible)), arena, table


def copy_of(arena: Arena) -> Arena:
    other = arena.empty_like(arena.rows)
    other.keys.copy_(arena.keys)
    other.values.copy_(arena.values)
    return other


def codes(heads: Heads, seed: int) -> Codes:
    """Eight bits, with other factors for every pair of channels."""
    draw = torch.Generator().manual_seed(seed)
    half = torch.rand(LAYERS, heads.kv_heads, heads.head_dim // 2, generator=draw)
    return Codes(torch.exp2(4 * torch.cat((half, half), dim=2) - 2))
