"""A small model trained to exit early, by LayerSkip's recipe, on code that we make up.

Recipe (arXiv 2404.16710, section 4): the same norm and head on every layer, each exit's loss
weighted more the deeper it is, and layers dropped per sample with a probability that grows
exponentially with depth.
"""

import random

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

LAYERS = 6
LARGEST_DROPOUT = 0.2
CHARACTERS = "\n" + "".join(map(chr, range(32, 127)))
NAMES = "alpha beta gamma delta node item path total width index"
VERBS = "read write merge split count reset"


def made_up_code(seed: int, functions: int) -> str:
    """Small classes: much boilerplate, names that are chosen once and then copied, and numbers
    that nobody can guess."""
    choose = random.Random(seed)
    lines = []
    for _ in range(functions):
        verb, one, two = choose.choice(VERBS.split()), *choose.sample(NAMES.split(), 2)
        lines.append(f"    def {verb}_{one}(self, {one}, {two}):")
        kind = choose.randrange(3)
        if kind == 0:
            lines.append(f"        return self.{one} + {two}")
        elif kind == 1:
            lines.append(f"        if {one} is None:")
            lines.append(f'            raise ValueError("{one} is None")')
            lines.append(f"        self.{two} = {one}")
        else:
            lines += [f"        self.{two}[{choose.randrange(1000)}] = {one}" for _ in range(2)]
    return "\n".join(lines) + "\n"


def encode(text: str) -> list[int]:
    return [CHARACTERS.index(character) for character in text]


def layer_skip_model(steps: int = 300, windows: int = 8, length: int = 96) -> LlamaForCausalLM:
    """Trains for some seconds."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(CHARACTERS),
        hidden_size=64,
        intermediate_size=128,
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
    text = torch.tensor(encode(made_up_code(1, 600)))
    optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.95))
    draw = torch.Generator().manual_seed(0)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * min(1.0, (step + 1) / 30) * (1 - 0.95 * step / steps)
        starts = torch.randint(len(text) - length - 1, (windows,), generator=draw)
        batch = torch.stack([text[s : s + length + 1] for s in starts.tolist()])
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
