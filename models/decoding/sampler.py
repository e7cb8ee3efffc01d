"""The choice of the next token: greedy, or drawn with temperature, top-p and min-p.

All randomness is a function of (seed, stream, position): the same request gives the same answer,
on any device, in any number of steps. That is also what makes speculation exact for sampled
output: the token that plain decoding would draw at a position is known to every way of reaching it.
"""

import hashlib

import torch
from torch import Tensor

from ...api.request import Sampling

LEAST_TEMPERATURE = 1e-30  # what float32 can divide by


class Sampler:
    """Draws tokens for one candidate; `stream` tells the candidates of one request apart."""

    def __init__(self, sampling: Sampling, stream: int = 0) -> None:
        self.sampling = sampling
        self.stream = stream

    @property
    def greedy(self) -> bool:
        return self.sampling.temperature == 0

    def draw(self, logits: Tensor, position: int, attempt: int = 0) -> int:
        """The token at `position` of the sequence, from its logits (vocabulary,), float32.

        `attempt` counts earlier draws for the same place that were turned down.
        """
        if self.greedy:
            return int(logits.argmax())
        return pick(self.probabilities(logits), self.uniform(position, attempt))

    def probabilities(self, logits: Tensor) -> Tensor:
        """The distribution that `draw` draws from: (…, vocabulary) to the same, float32."""
        if self.greedy:
            return torch.nn.functional.one_hot(logits.argmax(-1), logits.shape[-1]).float()
        below = logits.float() - logits.max(dim=-1, keepdim=True).values  # else tiny ones overflow
        p = torch.softmax(below / max(self.sampling.temperature, LEAST_TEMPERATURE), dim=-1)
        kept = keep_min_p(p, self.sampling.min_p) & keep_top_p(p, self.sampling.top_p)
        p = p.where(kept, 0)
        return p / p.sum(-1, keepdim=True)

    def uniform(self, position: int, attempt: int = 0) -> float:
        """A number in [0, 1) with 53 random bits, fixed by its key."""
        key = f"{self.sampling.seed}/{self.stream}/{position}/{attempt}".encode()
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def pick(p: Tensor, u: float) -> int:
    """Inverse transform: the first token whose cumulative probability exceeds `u`."""
    cumulative = p.double().cumsum(-1)
    index = int(torch.searchsorted(cumulative, u * cumulative[-1].item(), right=True))
    return min(index, int(p.nonzero()[-1]))  # rounding at the very end


def keep_min_p(p: Tensor, min_p: float) -> Tensor:
    return p >= min_p * p.amax(-1, keepdim=True)


def keep_top_p(p: Tensor, top_p: float) -> Tensor:
    """The smallest set of most probable tokens with at least `top_p` mass, and their equals.

    Tokens below (1 - top_p) / vocabulary hold less than 1 - top_p together, so none of them can
    be needed: only the few above are sorted.
    """
    if top_p >= 1:
        return torch.ones_like(p, dtype=torch.bool)
    above = int((p >= (1 - top_p) / p.shape[-1]).sum(-1).max())
    ordered = p.topk(above, dim=-1).values.double()
    before = ordered.cumsum(-1) - ordered
    least = ordered.where(before < top_p, 1).amin(-1, keepdim=True)
    return p >= least.to(p.dtype)
