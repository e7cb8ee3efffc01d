"""One step of a sequence through all layers: what fills the rows that the sequence reserved.

`most_deviating` finds which carried tokens an edit changed most, from the first layer alone.

CacheBlend (arXiv 2405.16444) picks the tokens to encode again by how far their values in an early
layer are from those that are cached. Keys and values of the first layer depend on nothing but the
token, so one layer over any few tokens gives their values in the second exactly.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...cache.segment import Step
from ...cache.sequence import CachedSequence
from .transformer import Transformer


@torch.inference_mode()
def deviations(model: Transformer, sequence: CachedSequence, span: range) -> Tensor:
    """(tokens,) squared distance of values between fresh and cached, in the second layer.

    Changes neither the sequence nor what is cached of it.
    """
    step = sequence.probe(span)
    tokens = sequence.tokens[span.start : span.stop]
    hidden = model.run(model.embed(model.ids(tokens)), step, sequence.arena, range(1))
    heads = model.heads
    raw = model.layers[1].qkv(hidden).view(len(span), heads.projected, heads.head_dim)
    fresh = raw[:, heads.heads + heads.kv_heads :].transpose(0, 1)
    cached = sequence.values(span, 1)
    return (fresh.float() - cached.float()).square().sum(dim=(0, 2))


def most_deviating(
    model: Transformer, sequence: CachedSequence, spans: Sequence[range], most: int
) -> list[range]:
    """Up to `most` tokens of `spans` that deviate most, in ascending order."""
    places = [index for span in spans for index in span]
    if not places:
        return []
    found = torch.cat([deviations(model, sequence, span) for span in spans])
    picked = found.topk(min(most, len(places))).indices.tolist()
    return [range(place, place + 1) for place in sorted(places[index] for index in picked)]


@torch.inference_mode()
def encode(model: Transformer, sequence: CachedSequence, step: Step) -> Tensor:
    """The hidden states (tokens, hidden) of the step's tokens; writes their keys and values."""
    spans = [part.positions for part in step.parts]
    tokens = [token for span in spans for token in sequence.tokens[span.start : span.stop]]
    hidden = model.embed(model.ids(tokens))
    return model.run(hidden, step, sequence.arena)
