"""Greedy decoding in its plainest form, to compare devices."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....models.loading.loader import Loaded


def greedy(loaded: "Loaded", prompt: list[int], new_tokens: int) -> list[int]:
    """The likeliest tokens, one after the other, without anything clever."""
    import torch

    from ....cache.sequence import CachedSequence

    model, sequence, found = loaded.model, CachedSequence(loaded.model.new_arena()), list(prompt)
    with torch.inference_mode():
        while len(found) < len(prompt) + new_tokens:
            tokens = found[len(sequence) :]
            step = sequence.append(tokens)
            hidden = model.run(model.embed(model.ids(tokens)), step, sequence.arena)
            found.append(int(model.logits(hidden[-1:]).argmax()))
    return found[len(prompt) :]


def agreement(one: list[int], other: list[int]) -> int:
    """How many tokens two outputs have in common at their start."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))
