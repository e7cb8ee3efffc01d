"""An engine around a tiny random model: no sense, but by the rules."""

from functools import cache
from pathlib import Path

from keyturn.daemon.completion.engine import Engine, EngineOptions
from keyturn.models.hub.download import ModelFiles
from keyturn.models.loading.loader import Loaded
from keyturn.models.nn.kernels import KernelPlan

from ..models.tiny import oracle, ours
from ..models.tiny_tokenizer import tiny_tokenizer


@cache
def tiny_loaded(context_tokens: int = 2048) -> Loaded:
    tokenizer = tiny_tokenizer()
    reference = oracle(
        "qwen2", vocab_size=tokenizer.vocabulary, max_position_embeddings=context_tokens
    )
    model = ours(reference)
    files = ModelFiles("tiny", Path("tiny"), "0" * 64)
    return Loaded("tiny", model, tokenizer, model.config, KernelPlan.floating("float32"), files)


def tiny_engine(**options) -> Engine:
    return Engine(tiny_loaded(), EngineOptions(**options))
