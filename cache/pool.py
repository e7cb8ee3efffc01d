"""Where keys and values live: one growing arena of rows per file, all layers side by side."""

import torch
from torch import Tensor


class Arena:
    """Keys and values, each (layers, kv_heads, rows, head_dim); grows by doubling.

    Bytes per token are `2 * layers * kv_heads * head_dim * element size`.
    """

    def __init__(
        self,
        layers: int,
        kv_heads: int,
        head_dim: int,
        device: torch.device,
        dtype: torch.dtype,
        rows: int = 256,
    ):
        self.keys = torch.empty(layers, kv_heads, rows, head_dim, device=device, dtype=dtype)
        self.values = torch.empty_like(self.keys)

    @property
    def rows(self) -> int:
        return self.keys.shape[2]

    @property
    def bytes_per_row(self) -> int:
        layers, kv_heads, _, head_dim = self.keys.shape
        return 2 * layers * kv_heads * head_dim * self.keys.element_size()

    def reserve(self, rows: int) -> None:
        """Make room for at least `rows` rows; what is stored stays where it is."""
        if rows <= self.rows:
            return
        rows = max(rows, 2 * self.rows)
        self.keys, self.values = (self._grown(self.keys, rows), self._grown(self.values, rows))

    @staticmethod
    def _grown(old: Tensor, rows: int) -> Tensor:
        layers, kv_heads, used, head_dim = old.shape
        new = old.new_empty(layers, kv_heads, rows, head_dim)
        new[:, :, :used] = old
        return new

    def write(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """Store keys and values (kv_heads, tokens, head_dim) at `row ..` of one layer."""
        stop = row + keys.shape[1]
        self.keys[layer, :, row:stop] = keys
        self.values[layer, :, row:stop] = values

    def read(self, layer: int, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Keys and values of some rows of one layer, each (kv_heads, tokens, head_dim); views."""
        return self.keys[layer, :, start:stop], self.values[layer, :, start:stop]
