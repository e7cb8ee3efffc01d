"""A file session's prompt, filled, and what a fresh prefill of it says."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from keyturn.cache.sequence import CachedSequence
from keyturn.daemon.completion.file_session import FileSession
from keyturn.daemon.completion.growth import Planned
from keyturn.models.nn.reencode import encode
from keyturn.models.prompts.fim import PromptOptions
from support.daemon.model_engines import tiny_loaded

CLOSE: Any = {"atol": 1e-3, "rtol": 1e-3}


def prepare(
    file: FileSession,
    cursor: int,
    wanted: PromptOptions,
    raise_if_cancelled: Callable[[], None] = lambda: None,
) -> tuple[Planned, Tensor]:
    """What was planned, and the logits after the prompt."""
    planned = file.plan(cursor, wanted)
    return planned, file.fill(planned, raise_if_cancelled)


@torch.inference_mode()
def fresh_logits(tokens: Sequence[int]) -> Tensor:
    model = tiny_loaded().model
    sequence = CachedSequence(model.new_arena())
    return model.logits(encode(model, sequence, sequence.append(tokens))[-1:])[0]
