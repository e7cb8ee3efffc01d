"""The placing of an exit: candidates measured in minutes, before one is trained for hours.

Every candidate gets what a trained exit starts from, the least-squares map from its layer's state
and the last verified state to the model's last one, and is judged by how often that is right and
by what its drafts would cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import CorpusTooSmall
from ..nn.config import ModelConfig
from ..nn.transformer import Transformer
from ..speculative.early_exit.file import promise
from ..speculative.early_exit.head import floats
from ..speculative.early_exit.reader import LinearMap, mapped
from .corpus import Window
from .features import FeaturePlan, features
from .learning import JUDGED_GAPS, Head, pairs

PROBED_WINDOWS = 40
SHARES = (1 / 12, 1 / 8, 1 / 6, 1 / 4, 1 / 3, 1 / 2)  # of the layers


@dataclass(frozen=True, slots=True)
class Probed:
    after: int  # layers before the exit
    right: float  # share of held-out tokens
    promise: float  # times plain decoding, if it were as often right further on


def candidates(config: ModelConfig) -> tuple[int, ...]:
    """Numbers of layers before an exit."""
    return tuple(sorted({max(1, round(config.layers * share)) for share in SHARES}))


@torch.inference_mode()
def probe(
    model: Transformer,
    windows: Sequence[Window],
    exits: Sequence[int],
    advance: Callable[[int], None] = lambda done: None,
) -> list[Probed]:
    """Each of `exits`. `advance` is told the windows done. Raises `CorpusTooSmall`."""
    held_out = [window for window in windows if window.held_out]
    learnt = [window for window in windows if not window.held_out]
    if not held_out or not learnt:
        raise CorpusTooSmall("the corpus is too small to choose a layer by: name it with --after")
    hidden, plan = model.config.hidden, FeaturePlan(tuple(exits), ())
    solvers = {exit_: LinearMap(2 * hidden, hidden) for exit_ in exits}
    for done, window in enumerate(learnt, 1):
        got = features(model, window.tokens, plan)
        for exit_ in exits:
            solvers[exit_].add(*_pairs(got, exit_, window))
        advance(done)
    maps = {exit_: solvers[exit_].solve().to(model.device) for exit_ in exits}
    ids = torch.tensor(sorted({token for window in windows for token in window.tokens}))
    head = Head(*floats(model.head, ids.to(model.device)), ids.to(model.device))
    right, total = dict.fromkeys(exits, 0), 0
    for done, window in enumerate(held_out, len(learnt) + 1):
        got = features(model, window.tokens, plan)
        for exit_ in exits:
            states, last = (x.to(model.device) for x in _pairs(got, exit_, window))
            said = head.logits(last, head.weight).argmax(dim=-1)
            guess = head.logits(mapped(maps[exit_], states), head.weight).argmax(dim=-1)
            right[exit_] += int((guess == said).sum())
        total += len(window.tokens) - max(1, window.first)
        advance(done)
    shares = {exit_: right[exit_] / total for exit_ in exits}
    return [Probed(e, s, promise(e, [s] * len(JUDGED_GAPS))) for e, s in shares.items()]


def _pairs(got: dict[str, Tensor], exit_: int, window: Window) -> tuple[Tensor, Tensor]:
    return pairs(got[f"exit.{exit_}"].float(), got["top"].float(), window.first)
