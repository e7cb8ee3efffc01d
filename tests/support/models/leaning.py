"""A tiny random model that likes to write JSON."""

import torch

from keyturn.models.nn.transformer import Transformer
from support.models.tiny import oracle, ours
from support.models.tiny_tokenizer import tiny_tokenizer

TOKENIZER = tiny_tokenizer()
MODEL = ours(oracle("qwen2", vocab_size=TOKENIZER.vocabulary, max_position_embeddings=2048))


class Leaning(Transformer):
    """The random model with a liking for digits, commas and brackets."""

    LIKED = torch.tensor(
        [bool(data) and set(data) <= set(b"0123456789, []{}") for data in map(
            TOKENIZER.token_bytes, range(TOKENIZER.vocabulary))]
    )  # fmt: skip

    def __init__(self) -> None:
        self.__dict__ = MODEL.__dict__

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return super().logits(hidden) + 4.0 * self.LIKED
