"""The first layers tell which cached tokens are not what they would be now."""

import torch
from torch.testing import assert_close

from keyturn.cache.sequence import CachedSequence
from keyturn.models.nn.reencode import deviations, encode, most_deviating
from support.models.tiny import oracle, ours, random_tokens

MODEL = ours(oracle("qwen2"))
TOKENS = random_tokens(60)


def filled(tokens: list[int]) -> CachedSequence:
    sequence = CachedSequence(MODEL.new_arena())
    encode(MODEL, sequence, sequence.append(tokens))
    return sequence


def test_tokens_that_have_seen_everything_do_not_deviate() -> None:
    sequence = filled(TOKENS)
    segments, keys = list(sequence.segments), sequence.arena.keys[:, :, :60].clone()
    assert deviations(MODEL, sequence, range(10, 60)).max() < 1e-6
    assert sequence.segments == segments
    assert torch.equal(sequence.arena.keys[:, :, :60], keys)


def test_the_deviation_is_the_distance_to_a_fresh_prefill() -> None:
    sequence = filled(TOKENS)
    sequence.drop(5, 9)
    found = deviations(MODEL, sequence, range(5, 56))
    fresh = filled(TOKENS[:5] + TOKENS[9:]).arena.values[1, :, 5:56]
    expected = (fresh - sequence.arena.values[1, :, 9:60]).square().sum(dim=(0, 2))
    assert_close(found, expected, atol=1e-3, rtol=1e-3)
    assert found.max() > 0.01
    picked = most_deviating(MODEL, sequence, [range(5, 30), range(30, 56)], 7)
    assert len(picked) == 7
    assert {span.start - 5 for span in picked} == set(found.topk(7).indices.tolist())


def test_any_few_tokens_deviate_as_they_do_among_all() -> None:
    sequence = filled(TOKENS)
    sequence.drop(5, 9)
    among_all = deviations(MODEL, sequence, range(5, 56))
    assert_close(deviations(MODEL, sequence, range(20, 31)), among_all[15:26])
