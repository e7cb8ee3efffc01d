"""Baselines of an exit: what its layer knows without the block, read raw and through a linear map.

The raw reading (logit lens) is what self-speculation without training drafts with; the map is
solved in closed form. A trained block is worth its time only if it is right much more often.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..speculative.early_exit.reader import LinearMap, mapped
from .learning import SOLVED_WINDOWS, Head, Row, predicted

JUDGED_WINDOWS = 24


@dataclass(frozen=True)
class Baselines:
    """Shares of held-out tokens that the model says too, right after a verified token."""

    raw: float
    mapped: float


@torch.no_grad()
def baselines(after: int, rows: Sequence[Row], held_out: Sequence[Row], head: Head) -> Baselines:
    """Of the layer before the exit `after`, by some windows to learn from and some to judge by."""
    device = head.weight.device

    def states(row: Row, name: str) -> Tensor:
        return row[name].to(device).float()

    solver = LinearMap(head.weight.shape[1])
    for row in rows[:SOLVED_WINDOWS]:
        first = int(row["first"])
        solver.add(states(row, f"exit.{after}")[first:], states(row, "top")[first:])
    map_ = solver.solve().to(device)
    total, right = 0, [0, 0]
    for row in held_out[:JUDGED_WINDOWS]:
        chosen = predicted(row)
        target, seen = row["said"][chosen], states(row, f"exit.{after}")[chosen.to(device)]
        total += len(target)
        for way, read in enumerate((seen, mapped(map_, seen))):
            guess = head.ids[head.logits(read, head.weight).argmax(dim=-1)]
            right[way] += int((guess.cpu() == target).sum())
    return Baselines(*(share / max(1, total) for share in right))
