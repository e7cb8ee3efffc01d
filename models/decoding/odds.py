"""What a model thought of a token when it was drawn: confidence is made of this."""

from dataclasses import dataclass

import torch
from torch import Tensor

BEST_TOKENS = 256  # looked at; what all others have together is too little to count


@dataclass(frozen=True, slots=True)
class Odds:
    """Among the tokens that could come, by the model alone: without temperature or grammar."""

    chance: float  # of the token
    rival: float  # of the likeliest other token


def odds_of(logits: Tensor, token: int) -> Odds:
    """Of `token` where the model says `logits` (vocabulary,), -inf for what cannot come."""
    best = logits.topk(min(BEST_TOKENS, len(logits)))
    p = torch.softmax(best.values.double(), -1)
    here = best.indices == token
    return Odds(float(p[here].sum()), float(p[~here].max()) if len(p) > 1 else 0.0)
