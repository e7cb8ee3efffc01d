"""The arena of one file: growing rows of keys and values, all layers side by side."""

import torch
from torch import Tensor

from .element import Element
from .rope import RotaryTable, turn


class Arena:
    """Keys and values, each (layers, kv_heads, rows, what `element` makes of head_dim); grows by a
    sixteenth.

    The keys are stored as turned by `table`, which several arenas of one model share.
    """

    def __init__(
        self,
        layers: int,
        kv_heads: int,
        head_dim: int,
        element: Element,
        table: RotaryTable,
        rows: int = 256,
    ):
        self.layers, self.kv_heads, self.head_dim = layers, kv_heads, head_dim
        self.element = element
        self.table = table
        with torch.inference_mode(False):  # so that rows can be written in any mode
            shape = (layers, kv_heads, rows, element.width(head_dim))
            self.keys = torch.empty(shape, device=table.device, dtype=element.dtype)
            self.values = torch.empty_like(self.keys)

    @property
    def rows(self) -> int:
        return self.keys.shape[2]

    @property
    def bytes_per_row(self) -> int:
        return 2 * self.layers * self.kv_heads * self.row_bytes

    @property
    def row_bytes(self) -> int:
        """Of one head of one key."""
        return self.keys.shape[3] * self.keys.element_size()

    @property
    def nbytes(self) -> int:
        return self.rows * self.bytes_per_row

    def empty_like(self, rows: int) -> "Arena":
        """An arena of the same shape and element with room for `rows`."""
        return Arena(self.layers, self.kv_heads, self.head_dim, self.element, self.table, rows)

    def reserve(self, rows: int, most: int | None = None) -> None:
        """Make room for at least `rows` rows, at the most `most`; what is stored stays put."""
        if rows > self.rows:
            ahead = self.rows + self.rows // 16
            self.resize(max(rows, ahead if most is None else min(ahead, most)))

    def resize(self, rows: int) -> None:
        """Have exactly `rows` rows; those past it are lost."""
        self.keys, self.values = _resized(self.keys, rows), _resized(self.values, rows)

    def write(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (tokens, kv_heads, head_dim) at `row ..` of one layer."""
        stop = row + len(keys)
        self.keys[layer, :, row:stop] = self.element.packed(keys.transpose(0, 1), layer)
        self.values[layer, :, row:stop] = self.element.packed(values.transpose(0, 1), None)

    def read(self, layer: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Keys and values of some rows of one layer, each (kv_heads, tokens, head_dim); views of
        floats."""
        keys, values = self.keys[layer, :, start:stop], self.values[layer, :, start:stop]
        return self.element.floats(keys, layer), self.element.floats(values, None)

    def turn(self, start: int, stop: int, by: int) -> None:
        """Turn the stored keys of some rows by `by` more positions, computed in float32."""
        cos, sin = self.table.rows(range(by, by + 1))
        for layer, rows in enumerate(self.keys[:, :, start:stop]):
            turned = turn(self.element.floats(rows, layer).float(), cos, sin)
            rows.copy_(self.element.packed(turned, layer))

    def copy(self, source: int, target: int, count: int) -> None:
        """Copy `count` rows of every layer; the two runs have no row in common."""
        for stored in (self.keys, self.values):
            stored[:, :, target : target + count] = stored[:, :, source : source + count]

    def permute(self, rows: list[tuple[int, int, int]]) -> None:
        """Move runs of rows: (from, to, length) each, all read before anything is written."""
        sources = torch.cat([torch.arange(a, a + n) for a, _, n in rows]).to(self.keys.device)
        targets = torch.cat([torch.arange(b, b + n) for _, b, n in rows]).to(self.keys.device)
        for stored in (self.keys, self.values):
            for layer in stored:
                layer[:, targets] = layer[:, sources]


def _resized(old: Tensor, rows: int) -> Tensor:
    layers, kv_heads, used, width = old.shape
    with torch.inference_mode(False):
        new = old.new_empty(layers, kv_heads, rows, width)
    kept = min(rows, used)
    new[:, :, :kept] = old[:, :, :kept]
    return new
