"""Recorded passes over buckets say what the plain pass says, whatever was run before."""

import random
import sys

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from keyturn.cache.pool import Arena
from keyturn.cache.segment import Step
from keyturn.cache.sequence import CachedSequence
from keyturn.models.nn.attention import readable_partial
from keyturn.models.nn.cuda_graphs import BUCKETS, MOST_RECORDINGS, FewTokens, Reruns
from keyturn.models.nn.segment_attention import BySegments
from keyturn.models.nn.transformer import Transformer
from support.models.tiny import forward, oracle, oracle_logits, ours, random_tokens

TOKENS = random_tokens(60)


class Readable:
    """The readable attention with the interface of a bucket's: tokens that fill it are left out."""

    segments = 64

    def __init__(self, model: Transformer) -> None:
        self.model = model

    def show(self, step: Step, arena: Arena) -> "Readable":
        self.step, self.arena = step, arena
        return self

    def __call__(self, raw: Tensor, layer: int) -> Tensor:
        model, real = self.model, len(self.step)
        plain = BySegments(model.heads, model.table, self.step, self.arena, readable_partial)
        found = raw.new_zeros(len(raw), model.heads.heads * model.heads.head_dim)
        found[:real] = plain(raw[:real], layer)
        return found


def recorded(buckets: tuple[int, ...] = BUCKETS, **changes) -> Transformer:
    def shortcut(model: Transformer) -> FewTokens:
        return FewTokens(model, lambda bucket: Readable(model), Reruns(), buckets)

    return ours(oracle("qwen2", **changes), shortcut=shortcut)


def shortcut(model: Transformer) -> FewTokens:
    assert isinstance(model.shortcut, FewTokens)
    return model.shortcut


@pytest.mark.parametrize("seed", range(4))
def test_any_cuts_into_steps_give_what_one_pass_gives(seed: int) -> None:
    model, chance = recorded(buckets=(1, 3, 8)), random.Random(seed)
    sequence, found = CachedSequence(model.new_arena(2)), []
    while len(sequence) < len(TOKENS):
        count = chance.choice([1, 2, 3, 5, 8, 11])  # 11 has no bucket and goes the long way
        splits = chance.choice([(None,), (range(1), range(1, 3))])
        tokens = TOKENS[len(sequence) : len(sequence) + count]
        found.append(forward(model, sequence, tokens, splits))
    expected = oracle_logits(oracle("qwen2"), TOKENS)
    assert_close(torch.cat(found), expected, atol=2e-4, rtol=2e-4)


def test_results_stay_when_the_next_pass_runs() -> None:
    model = recorded()
    sequence = CachedSequence(model.new_arena())
    first = forward(model, sequence, TOKENS[:3])
    kept = first.clone()
    forward(model, sequence, TOKENS[3:6])
    assert torch.equal(first, kept)


def test_two_files_share_recordings() -> None:
    model = recorded()
    one, other = (CachedSequence(model.new_arena(1)) for _ in range(2))
    found = []
    for start in range(0, 20, 2):
        found.append(forward(model, one, TOKENS[start : start + 2]))
        forward(model, other, TOKENS[40 - start : 42 - start])
    expected = oracle_logits(oracle("qwen2"), TOKENS[:20])
    assert_close(torch.cat(found), expected, atol=2e-4, rtol=2e-4)
    assert len(shortcut(model).stages) == 1


def test_preparing_records_every_bucket_and_stops_when_asked() -> None:
    model = recorded()
    looks = iter([False, False, True])
    assert not model.settle(lambda: next(looks))
    assert len(shortcut(model).stages) == 2
    assert model.settle()
    assert len(shortcut(model).stages) == len(BUCKETS)
    assert model.settle(lambda: True)  # there is nothing left to look for


def test_recordings_of_many_ranges_give_way_to_newer_ones() -> None:
    model = recorded(num_hidden_layers=12)
    sequence = CachedSequence(model.new_arena())
    step = sequence.append(TOKENS[:1])
    with torch.inference_mode():
        hidden = model.embed(model.ids(TOKENS[:1]))
        ranges = [range(a, b) for a in range(12) for b in range(a + 1, 13)]
        for layers in ranges:
            model.run(hidden, step, sequence.arena, layers)
    assert len(ranges) > MOST_RECORDINGS
    stages = list(shortcut(model).stages)
    assert len(stages) == MOST_RECORDINGS
    assert stages[-1] == (1, 11, 12)


def test_a_step_of_too_many_tokens_or_segments_goes_the_long_way() -> None:
    model = recorded(buckets=(1, 2))
    sequence = CachedSequence(model.new_arena())
    assert not shortcut(model).takes(sequence.append(TOKENS[:3]))
    (part,), (segment,) = (step := sequence.append(TOKENS[3:4])).parts, step.visible
    assert shortcut(model).takes(step)
    many = Step((part,), tuple(segment.cut(0, 1) for _ in range(65)))
    assert not shortcut(model).takes(many)


@pytest.mark.skipif(sys.platform != "linux", reason="triton has wheels for Linux only")
def test_a_whole_model_runs_on_our_kernel() -> None:
    from keyturn.models.nn.triton_attention import StepKernels

    def kernels(model: Transformer) -> FewTokens:
        def make(bucket: int) -> StepKernels:
            return StepKernels(model.heads, model.table, bucket, splits=2)

        return FewTokens(model, make, Reruns(), (1, 4))

    reference = oracle("qwen2", head_dim=64, num_hidden_layers=2)
    model = ours(reference, shortcut=kernels)
    sequence = CachedSequence(model.new_arena())
    found = [forward(model, sequence, TOKENS[a:b]) for a, b in ((0, 9), (9, 10), (10, 13))]
    assert_close(torch.cat(found), oracle_logits(reference, TOKENS[:13]), atol=2e-4, rtol=2e-4)
