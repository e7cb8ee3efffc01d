"""The benchmark of passes, on a tiny model."""

import torch

from support.models.tiny import oracle, ours

from .pass_cost import SIZES, filled, one_pass


def test_passes_of_every_size_leave_the_context_as_it_was() -> None:
    model = ours(oracle("qwen2"))
    sequence = filled(model, 40)
    before = sequence.arena.keys[:, :, :40].clone()
    assert all(one_pass(model, sequence, tokens) > 0 for tokens in SIZES)
    assert len(sequence) == 40
    assert torch.equal(sequence.arena.keys[:, :, :40], before)
    sequence.check_integrity()
