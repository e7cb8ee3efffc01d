"""Small integers on their way to a device: token ids, rows, positions."""

from collections.abc import Sequence

import torch
from torch import Tensor


def staged(numbers: Sequence[int], device: torch.device) -> Tensor:
    """`numbers` (n,) int64 on the device. Nobody waits for a GPU: the copy is from pinned memory,
    which torch keeps until it is done."""
    if device.type != "cuda":
        return torch.tensor(numbers, device=device)
    return torch.tensor(numbers, pin_memory=True).to(device, non_blocking=True)
