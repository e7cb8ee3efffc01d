"""A model's states while it reads code, kept on disk in float16 for exits to learn from.

One shard holds a few windows: their tokens, the states after some layers and after the last one,
the keys and values of some layers, and what the model says next. A shard is written beside its
place and renamed, so that reading goes on after any interruption with the next one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...cache.sequence import CachedSequence
from ..errors import TrainingFailed
from ..hub.cache_folder import cache_errors
from ..nn.linear import Linear
from ..nn.transformer import Transformer
from .corpus import Window

WINDOWS_PER_SHARD = 8
LIKELY = 8  # tokens that are kept of what the model says next
ROWS_AT_ONCE = 64  # through a head, to bound the memory


@dataclass(frozen=True)
class FeaturePlan:
    """`exits`: numbers of layers after which the state is kept. `attended`: layers, counted from
    0, whose keys and values are kept."""

    exits: tuple[int, ...]
    attended: tuple[int, ...]


class FeatureStore:
    """Owns a folder of shards, written in order and never changed."""

    def __init__(self, folder: Path, plan: FeaturePlan):
        self.folder = folder
        self.plan = plan

    def path(self, index: int) -> Path:
        return self.folder / f"shard-{index:05}.safetensors"

    def __len__(self) -> int:
        """The number of whole shards."""
        count = 0
        while self.path(count).exists():
            count += 1
        return count

    def load(self, index: int) -> dict[str, Tensor]:
        """Of some windows: `tokens`, `first`, `held_out`; `top` and `exit.K` (windows, tokens,
        hidden); `keys.J` and `values.J` (windows, tokens, kv_heads, head_dim); `likely` and
        `likely_logits` (windows, tokens, LIKELY), as rows of the cut head; and `said` (windows,
        tokens), the token that the whole head says, where a window is held out."""
        try:
            return load_file(self.path(index))
        except (OSError, SafetensorError) as error:
            raise TrainingFailed(
                f"cannot read {self.path(index)}: {error}; delete {self.folder} and start again"
            ) from error

    def write(
        self, index: int, model: Transformer, small_head: Linear, windows: Sequence[Window]
    ) -> None:
        """Read `windows` with the model. Raises `ModelError` for a full disk."""
        rows = []
        for window in windows:
            row = features(model, window.tokens, self.plan)
            top = row["top"].to(model.device, model.dtype)
            row |= likely(small_head, top)
            row["said"] = said(model, top) if window.held_out else torch.zeros(len(top)).int()
            rows.append(row)
        tensors = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        tensors["tokens"] = torch.tensor([w.tokens for w in windows], dtype=torch.int32)
        tensors["first"] = torch.tensor([w.first for w in windows], dtype=torch.int32)
        tensors["held_out"] = torch.tensor([w.held_out for w in windows])
        unfinished = self.path(index).with_suffix(".partial")
        with cache_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                save_file(tensors, unfinished)
                unfinished.replace(self.path(index))
            except SafetensorError as error:  # how the package tells of a full disk
                raise OSError(28, str(error)) from error
            finally:
                unfinished.unlink(missing_ok=True)


@torch.inference_mode()
def features(model: Transformer, tokens: Sequence[int], plan: FeaturePlan) -> dict[str, Tensor]:
    """One forward pass over `tokens`; what the plan keeps of it, in float16 on the CPU."""
    sequence = CachedSequence(model.new_arena(len(tokens)))
    step = sequence.append(tokens)
    hidden = model.embed(torch.tensor(tokens, device=model.device))
    kept: dict[str, Tensor] = {}
    before = 0
    for stop in sorted({*plan.exits, model.config.layers}):
        if stop > before:
            hidden = model.run(hidden, step, sequence.arena, range(before, stop))
        kept["top" if stop == model.config.layers else f"exit.{stop}"] = hidden
        before = stop
    row = step.parts[0].row
    for layer in plan.attended:
        keys, values = sequence.arena.read(layer, row, row + len(tokens))
        kept[f"keys.{layer}"] = keys.transpose(0, 1)
        kept[f"values.{layer}"] = values.transpose(0, 1)
    return {name: tensor.half().cpu().contiguous() for name, tensor in kept.items()}


@torch.inference_mode()
def likely(small_head: Linear, top: Tensor) -> dict[str, Tensor]:
    """The likeliest rows of a cut head after each token, and their logits."""
    parts = [
        small_head(part).float().topk(min(LIKELY, small_head.out_features))
        for part in top.split(ROWS_AT_ONCE)
    ]
    rows, logits = (torch.cat([getattr(p, kind) for p in parts]) for kind in ("indices", "values"))
    return {"likely": rows.int().cpu(), "likely_logits": logits.cpu()}


@torch.inference_mode()
def said(model: Transformer, top: Tensor) -> Tensor:
    """The token that the model says after each of its last states."""
    parts = [model.logits(part).argmax(dim=-1) for part in top.split(ROWS_AT_ONCE)]
    return torch.cat(parts).int().cpu()


def batches(windows: Iterator[Window], skip: int) -> Iterator[list[Window]]:
    """Windows, a shard's worth at a time, without those of the first `skip` shards."""
    batch: list[Window] = []
    for number, window in enumerate(windows):
        if number < skip * WINDOWS_PER_SHARD:
            continue
        batch.append(window)
        if len(batch) == WINDOWS_PER_SHARD:
            yield batch
            batch = []
