"""A tiny model and a sequence driven through edits, beside a fresh prefill of the same tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor

from keyturn.cache.correction import Correction, turn_query
from keyturn.cache.plan import EditPlan, Repair, Target, plan_edit
from keyturn.cache.segment import Step
from keyturn.cache.sequence import CachedSequence
from keyturn.models.nn.transformer import Transformer
from support.models.tiny import oracle, ours

NOTHING = Repair(exact=0, behind=0)


def tiny(layers: int, family: str = "qwen2") -> Transformer:
    return ours(oracle(family, num_hidden_layers=layers, max_position_embeddings=4096))


@torch.inference_mode()
def run(model: Transformer, sequence: CachedSequence, step: Step) -> Tensor:
    """Logits (tokens, vocabulary) of a step's tokens; writes their keys and values."""
    tokens = [t for p in step.parts for t in sequence.tokens[p.positions.start : p.positions.stop]]
    return model.logits(model.run(model.embed(torch.tensor(tokens)), step, sequence.arena))


def fresh(model: Transformer, tokens: Sequence[int]) -> tuple[CachedSequence, Tensor]:
    """A new sequence of `tokens` prefilled in one pass, and the logits of all of them."""
    sequence = CachedSequence(model.new_arena())
    return sequence, run(model, sequence, sequence.append(tokens))


def target(tokens: Sequence[int], labels: Sequence[int] = (), cursor: int | None = None) -> Target:
    """A prompt that is all prefix up to `cursor` (default: the end) and suffix from there on."""
    cut = len(tokens) if cursor is None else cursor
    return Target(tokens, labels or [0] * len(tokens), range(cut), range(cut, len(tokens)))


def move_to(
    model: Transformer,
    sequence: CachedSequence,
    wanted: Target,
    repair: Repair = NOTHING,
    most: int = 512,
) -> tuple[EditPlan, Tensor]:
    """Bring the sequence to `wanted`; the plan, and the logits of the last token."""
    unseeing = [span for span, edits in sequence.inexact() if edits]
    plan = plan_edit(sequence.tokens, sequence.labels, wanted, repair, unseeing)
    logits = torch.empty(0)
    for step in sequence.apply(plan, wanted, most):
        sequence.check_integrity()
        logits = run(model, sequence, step)[-1]
    sequence.check_integrity()
    assert sequence.tokens == list(wanted.tokens)
    return plan, logits


def stored(sequence: CachedSequence, layer: int = 0) -> tuple[Tensor, Tensor]:
    """Keys turned for where the tokens stand now, and values, each (kv_heads, tokens, head_dim)."""
    keys, values = [], []
    for segment in sequence.segments:
        arena = sequence.arena
        copy = arena.empty_like(segment.length)
        copy.keys[:] = arena.keys[:, :, segment.start : segment.stop]
        copy.turn(0, segment.length, segment.offset)
        keys.append(copy.keys[layer])
        values.append(arena.values[layer, :, segment.start : segment.stop])
    return torch.cat(keys, dim=1), torch.cat(values, dim=1)


def new_sequence(model: Transformer, correction: Correction = turn_query) -> CachedSequence:
    return CachedSequence(model.new_arena(), correction)
