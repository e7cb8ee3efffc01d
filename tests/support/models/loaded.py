"""What a loaded model with a vocabulary of `tiny`'s size says to the same tokens every time."""

import torch
from torch import Tensor

from keyturn.cache.sequence import CachedSequence
from keyturn.models.loading.loader import Loaded
from keyturn.models.nn.kernels import KernelPlan
from support.models.tiny import random_tokens

INT8 = KernelPlan("int7", "int8-fbgemm")
TOKENS = random_tokens(24)


@torch.inference_mode()
def logits(loaded: Loaded) -> Tensor:
    """(tokens, vocabulary)."""
    model, arena = loaded.model, loaded.model.new_arena()
    step = CachedSequence(arena).append(TOKENS)
    return model.logits(model.run(model.embed(torch.tensor(TOKENS)), step, arena))
