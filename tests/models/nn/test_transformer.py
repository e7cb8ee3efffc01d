"""The forward pass says what transformers says, for every family and every way of cutting it."""

from itertools import pairwise
from typing import Any, Literal

import pytest
import torch
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.models.nn.attention import cpu_partial, readable_partial
from keyturn.models.nn.kernels import Kernel, KernelPlan
from support.models.tiny import FAMILIES, forward, oracle, oracle_logits, ours, random_tokens

TOKENS = random_tokens(48)
CLOSE: Any = {"atol": 2e-4, "rtol": 2e-4}


@pytest.mark.parametrize("partial", [cpu_partial, readable_partial], ids=lambda p: p.__name__)
@pytest.mark.parametrize("family", FAMILIES)
def test_prefill_equals_transformers(family: str, partial) -> None:
    reference = oracle(family)
    model = ours(reference, partial=partial)
    logits = forward(model, CachedSequence(model.new_arena()), TOKENS)
    assert_close(logits, oracle_logits(reference, TOKENS), **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_incremental_decoding_equals_transformers(family: str) -> None:
    reference = oracle(family)
    model = ours(reference)
    sequence = CachedSequence(model.new_arena())
    cuts = [0, 20, 21, 22, 29, 48]  # prefill, single tokens, several tokens at once
    logits = [forward(model, sequence, TOKENS[a:b]) for a, b in pairwise(cuts)]
    assert_close(torch.cat(logits), oracle_logits(reference, TOKENS), **CLOSE)


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_can_be_run_in_ranges(family: str) -> None:
    reference = oracle(family)
    model = ours(reference)
    sequence = CachedSequence(model.new_arena())
    splits = (range(1), range(1, 3))
    logits = [forward(model, sequence, part, splits) for part in (TOKENS[:30], TOKENS[30:])]
    assert_close(torch.cat(logits), oracle_logits(reference, TOKENS), **CLOSE)


def test_early_layers_are_the_oracles_hidden_states() -> None:
    reference = oracle("qwen2")
    model = ours(reference)
    sequence = CachedSequence(model.new_arena())
    with torch.inference_mode():
        expected = reference(torch.tensor([TOKENS]), output_hidden_states=True).hidden_states[2][0]
        step = sequence.append(TOKENS)
        hidden = model.run(model.embed(torch.tensor(TOKENS)), step, sequence.arena, range(2))
    assert_close(hidden, expected, **CLOSE)


def test_a_truncated_sequence_continues_as_if_the_rest_had_never_been() -> None:
    reference = oracle("qwen2")
    model = ours(reference)
    sequence = CachedSequence(model.new_arena())
    forward(model, sequence, TOKENS[:20] + random_tokens(15, seed=9))
    sequence.truncate(20)
    sequence.check_integrity()
    logits = forward(model, sequence, TOKENS[20:])
    assert_close(logits, oracle_logits(reference, TOKENS)[20:], **CLOSE)


@pytest.mark.parametrize("kernel", ["int8-fbgemm", "int8-onednn", "int8-weight-only"])
@pytest.mark.parametrize("family", ["qwen2", "starcoder2", "granite"])
def test_int8_stays_close_to_the_float_model(family: str, kernel: Kernel) -> None:
    reference = oracle(family)
    model = ours(reference, KernelPlan("int7", kernel))
    expected = oracle_logits(reference, TOKENS)
    logits = forward(model, CachedSequence(model.new_arena()), TOKENS)
    error = (logits - expected).pow(2).mean() / expected.pow(2).mean()
    assert 0 < error < 0.02


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_close_to_the_float_model(
    dtype: Literal["bfloat16", "float16"],
) -> None:
    reference = oracle("qwen2")
    model = ours(reference, KernelPlan.floating(dtype), readable_partial)
    expected = oracle_logits(reference, TOKENS)
    logits = forward(model, CachedSequence(model.new_arena()), TOKENS)
    error = (logits - expected).pow(2).mean() / expected.pow(2).mean()
    assert error < 0.01
