"""A small model trained to exit early, by LayerSkip's recipe, on two kinds of text that we make up.

Recipe (arXiv 2404.16710, section 4): the same norm and head on every layer, each exit's loss
weighted more the deeper it is, and layers dropped per sample with a probability that grows
exponentially with depth.

One kind of text is boilerplate: the next token follows from the last one, and the first layer
knows it. In the other kind it follows from the last two by a table too large for one small layer,
so the more layers the better. The best exit is another one for each kind.
"""

import random
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

LAYERS = 8
LARGEST_DROPOUT = 0.2
EASY, HARD = 12, 18  # tokens of each kind
VOCABULARY = EASY + HARD


@cache
def table() -> list[list[int]]:
    choose = random.Random(5)
    return [[choose.randrange(HARD) for _ in range(HARD)] for _ in range(HARD)]


def text(hard: bool, length: int, choose: random.Random) -> list[int]:
    """Starts anywhere and follows its rule."""
    if not hard:
        start = choose.randrange(EASY)
        return [(start + 5 * step) % EASY for step in range(length)]
    tokens = [choose.randrange(HARD), choose.randrange(HARD)]
    while len(tokens) < length:
        # now and then a leap, or the walk would soon go round in a small circle
        leaps = choose.random() < 0.04
        tokens.append(choose.randrange(HARD) if leaps else table()[tokens[-2]][tokens[-1]])
    return [EASY + token for token in tokens[:length]]


@cache
def layer_skip_model(steps: int = 250, windows: int = 12, length: int = 48) -> LlamaForCausalLM:
    """Trains for some seconds."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.95))
    draw, choose = torch.Generator().manual_seed(0), random.Random(0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1.0, (step + 1) / 30) * (1 - 0.95 * step / steps)
        kinds = [number % 4 > 0 for number in range(windows)]  # three of four are hard
        batch = torch.tensor([text(hard, length + 1, choose) for hard in kinds])
        loss = early_exit_loss(model, batch, draw)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


def early_exit_loss(model: LlamaForCausalLM, batch: Tensor, draw: torch.Generator) -> Tensor:
    """Of all exits together, each weighted by its depth; `batch` (windows, tokens + 1)."""
    inner = model.model
    x = inner.embed_tokens(batch[:, :-1])
    angles = inner.rotary_emb(x, torch.arange(x.shape[1])[None])
    loss = x.new_zeros(())
    for index, layer in enumerate(inner.layers):
        dropped = LARGEST_DROPOUT * (2 ** (index / (LAYERS - 1)) - 1)
        kept = torch.rand(len(x), 1, 1, generator=draw) >= dropped
        out = layer(x, attention_mask=None, position_embeddings=angles)
        x = torch.where(kept, out[0] if isinstance(out, tuple) else out, x)
        logits = model.lm_head(inner.norm(x))
        share = (index + 1) / (LAYERS * (LAYERS + 1) / 2)
        loss = loss + share * F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    return loss
