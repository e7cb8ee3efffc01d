"""A trained exit as it learns: float32, whole windows at once. `early_exit.block` is what runs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...cache.rope import RotaryTable, turn
from ..speculative.early_exit.file import DISTANCES, ExitShape
from ..speculative.early_exit.reader import normed


class Student(nn.Module):
    """One exit's weights. `table` holds the model's rotary angles, `scale` is its attention's."""

    enter: nn.Parameter
    distances: nn.Parameter
    query: nn.Parameter
    out: nn.Parameter
    up: nn.Parameter
    down: nn.Parameter

    def __init__(self, shape: ExitShape, table: RotaryTable, scale: float):
        super().__init__()
        self.shape, self.table, self.scale = shape, table, scale
        for name, (rows, columns) in shape.matrices.items():
            weight = torch.randn(rows, columns) * columns**-0.5
            if name in ("out", "down"):
                weight.zero_()  # a fresh exit is its linear map
            self.register_parameter(name, nn.Parameter(weight))
        self.register_parameter("distances", nn.Parameter(torch.zeros(DISTANCES, shape.hidden)))

    def weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach() for name, tensor in self.named_parameters()}

    def forward(
        self, hidden: Tensor, top: Tensor, keys: Tensor, values: Tensor, gap: int
    ) -> Tensor:
        """What the model's last norm is to read, for every token of some windows.

        `hidden`, `top`: (windows, tokens, hidden); `keys`, `values`: (windows, tokens, kv_heads,
        head_dim) as the model caches them; every token is `gap` tokens after its verified one.
        """
        s, tokens = self.shape, hidden.shape[1]
        verified = F.pad(top, (0, 0, gap, 0))[:, :tokens]
        x = F.linear(torch.cat((normed(hidden), normed(verified)), dim=-1), self.enter)
        x = x + self.distances[min(gap, DISTANCES) - 1]
        query = F.linear(normed(x), self.query).unflatten(-1, (s.heads, s.head_dim))
        cos, sin = self.table.rows(range(tokens))
        query = turn(query, cos.unsqueeze(1), sin.unsqueeze(1)).transpose(1, 2)
        group = s.heads // s.kv_heads
        keys, values = (t.transpose(1, 2).repeat_interleave(group, dim=1) for t in (keys, values))
        seen = torch.ones(tokens, tokens, dtype=torch.bool, device=x.device).tril(-gap)
        seen[:gap, 0] = True  # before the first verified token there is nothing to see
        mixed = F.scaled_dot_product_attention(
            query, keys, values, attn_mask=seen, scale=self.scale
        )
        x = x + F.linear(mixed.transpose(1, 2).flatten(2), self.out)
        gate, up = F.linear(normed(x), self.up).chunk(2, dim=-1)
        return x + F.linear(F.silu(gate) * up, self.down)
