"""Which carried tokens an edit changed most, told from the first layers alone.

CacheBlend (arXiv 2405.16444) picks the tokens to encode again by how far their values in an early
layer are from those that are cached. Here the first layers are run over all carried tokens, each of
which sees exactly what stands before it.
"""

import torch
from torch import Tensor

from ..cache.sequence import CachedSequence
from .transformer import Transformer

PROBED_LAYERS = 2


@torch.inference_mode()
def deviations(model: Transformer, sequence: CachedSequence, span: range) -> Tensor:
    """(tokens,) squared distance of values between fresh and cached, in the second layer.

    Changes neither the sequence nor what is cached of it.
    """
    step = sequence.probe(span)
    layers = range(min(PROBED_LAYERS, model.config.layers))
    tokens = torch.tensor(sequence.tokens[span.start : span.stop], device=model.device)
    model.run(model.embed(tokens), step, sequence.arena, layers)
    part = step.parts[0]
    fresh = sequence.arena.values[layers[-1], :, part.row : part.row + len(span)]
    cached = sequence.values(span, layers[-1])
    return (fresh.float() - cached.float()).square().sum(dim=(0, 2))


def most_deviating(
    model: Transformer, sequence: CachedSequence, span: range, most: int
) -> list[range]:
    """Spans of up to `most` tokens of `span` that deviate most, in ascending order."""
    found = deviations(model, sequence, span).topk(min(most, len(span))).indices
    return [range(span.start + index, span.start + index + 1) for index in sorted(found.tolist())]
