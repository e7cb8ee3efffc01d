"""One step of a sequence through all layers: what fills the rows that the sequence reserved."""

import torch
from torch import Tensor

from ..cache.segment import Step
from ..cache.sequence import CachedSequence
from .transformer import Transformer


@torch.inference_mode()
def encode(model: Transformer, sequence: CachedSequence, step: Step) -> Tensor:
    """The hidden states (tokens, hidden) of the step's tokens; writes their keys and values."""
    spans = [part.positions for part in step.parts]
    tokens = [token for span in spans for token in sequence.tokens[span.start : span.stop]]
    hidden = model.embed(model.ids(tokens))
    return model.run(hidden, step, sequence.arena)
