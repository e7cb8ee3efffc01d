"""The learning of one exit (early_exit/file.py): least squares for its entrance, then gradient
steps on everything.

The loss is the cross-entropy with what the model itself says next (its likeliest tokens,
renormalised), over the tokens that are likely anywhere in the batch and a random sample of the
others: on a CPU the whole head would cost more than all the rest. The distance to the verified
token is drawn for each batch, the nearest most often.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import TrainingFailed
from ..nn.linear import Norm
from ..speculative.early_exit.reader import LinearMap, normed
from .student import Student

SOLVED_WINDOWS = 96  # that a linear map is solved from
WINDOWS_PER_STEP = 4
SAMPLED = 1024  # other tokens that take part in the loss
GAPS = (1, 1, 1, 2, 2, 3, 4)  # drawn uniformly
JUDGED_GAPS = (1, 2, 3, 4)
RATE, WARM_UP_STEPS = 2e-3, 50
SAVED_EVERY_S = 60.0
Row = dict[str, Tensor]  # one window of `FeatureStore.load`


@dataclass(frozen=True)
class Head:
    """The model's last norm and the rows (rows, hidden) of its head that an exit can say."""

    norm: Norm | None
    weight: Tensor
    ids: Tensor

    def logits(self, states: Tensor, weight: Tensor) -> Tensor:
        return F.linear(states if self.norm is None else self.norm(states), weight)


def pairs(states: Tensor, top: Tensor, first: int) -> tuple[Tensor, Tensor]:
    """What an exit sees one token after a verified one (tokens, 2 * hidden), and what the last
    layer makes of that token (tokens, hidden): of a window's states before the exit and behind the
    last layer, both (tokens, hidden), from the token `first` on."""
    first = max(1, first)
    seen = torch.cat((normed(states[first:]), normed(top[first - 1 : -1])), dim=1)
    return seen, top[first:]


class Learning:
    """Owns one student, its optimiser and their checkpoint file."""

    def __init__(self, student: Student, head: Head, checkpoint: Path) -> None:
        self.student = student
        self.head = head
        self.steps = 0
        self.seen_tokens = 0
        self._checkpoint = checkpoint
        self._device = head.weight.device
        self._optimiser = torch.optim.AdamW(
            student.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.02
        )
        self._draw = torch.Generator().manual_seed(0)
        self._order: list[int] = []

    # region Where it begins

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one. Raises `TrainingFailed` if it is damaged."""
        if not self._checkpoint.exists():
            return False
        try:
            saved = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
            self.student.load_state_dict(saved["student"])
            self._optimiser.load_state_dict(saved["optimiser"])
            self.steps, self.seen_tokens = saved["steps"], saved["seen_tokens"]
        except Exception as error:  # torch and pickle raise many kinds
            raise TrainingFailed(
                f"cannot go on from {self._checkpoint}: {error}; delete it and start again"
            ) from error
        self._draw.manual_seed(self.steps)
        return True

    def save(self) -> None:
        state = {
            "student": self.student.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "steps": self.steps,
            "seen_tokens": self.seen_tokens,
        }
        unfinished = self._checkpoint.with_suffix(".partial")
        torch.save(state, unfinished)
        unfinished.replace(self._checkpoint)

    @torch.no_grad()
    def solve_entrance(self, rows: Sequence[Row]) -> None:
        """The least-squares map from both inputs, one token apart, to the model's last state."""
        size = self.student.shape.hidden
        solver = LinearMap(2 * size, size, constant=False)
        for row in rows[:SOLVED_WINDOWS]:
            solver.add(*pairs(self._of(row, "hidden"), self._of(row, "top"), int(row["first"])))
        self.student.enter.copy_(solver.solve().T)

    # endregion
    # region Steps

    def learn(
        self,
        rows: Sequence[Row],
        seconds: float,
        advance: Callable[[float, float], None] = lambda done_s, loss: None,
    ) -> None:
        """Gradient steps for `seconds`, the rate falling to nearly nothing at their end.
        `advance` is told the seconds done and the loss, averaged over the last steps."""
        began = saved = time.monotonic()
        average = None
        while (done_s := time.monotonic() - began) < seconds:
            warm = min(1.0, (self.steps + 1) / WARM_UP_STEPS)
            for group in self._optimiser.param_groups:
                group["lr"] = RATE * warm * max(0.05, 1 - done_s / seconds)
            loss = self._step(rows)
            average = loss if average is None else 0.95 * average + 0.05 * loss
            advance(time.monotonic() - began, average)
            if time.monotonic() - saved > SAVED_EVERY_S:
                self.save()
                saved = time.monotonic()
        self.save()

    def _step(self, rows: Sequence[Row]) -> float:
        if len(self._order) < WINDOWS_PER_STEP:
            self._order = torch.randperm(len(rows), generator=self._draw).tolist()
        batch = [rows[self._order.pop()] for _ in range(min(WINDOWS_PER_STEP, len(self._order)))]
        gap = GAPS[int(torch.randint(len(GAPS), (1,), generator=self._draw))]
        counted = torch.stack([predicted(row) for row in batch]).to(self._device)
        states = self._forward(batch, gap)[counted]
        likely, logits = (
            torch.stack([row[name] for row in batch]).to(self._device)[counted]
            for name in ("likely", "likely_logits")
        )
        loss = self._loss(states, likely.long(), logits)
        if not torch.isfinite(loss):
            raise TrainingFailed("training an exit diverged; what was there before is as it was")
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self._optimiser.step()
        self.steps += 1
        self.seen_tokens += len(states)
        return float(loss.detach())

    def _loss(self, states: Tensor, likely: Tensor, logits: Tensor) -> Tensor:
        count = len(self.head.ids)
        others = torch.randint(count, (min(SAMPLED, count),), generator=self._draw)
        taking_part = torch.cat((likely.flatten(), others.to(self._device))).unique()
        place = torch.empty(count, dtype=torch.long, device=self._device)
        place[taking_part] = torch.arange(len(taking_part), device=self._device)
        said = self.head.logits(states, self.head.weight[taking_part]).log_softmax(dim=-1)
        return -(logits.softmax(dim=-1) * said.gather(1, place[likely])).sum(dim=-1).mean()

    def _forward(self, batch: Sequence[Row], gap: int) -> Tensor:
        inputs = (
            torch.stack([self._of(row, name) for row in batch])
            for name in ("hidden", "top", "keys", "values")
        )
        return self.student(*inputs, gap=gap)

    def _of(self, row: Row, what: str) -> Tensor:
        shape = self.student.shape
        name = {
            "hidden": f"exit.{shape.after}",
            "keys": f"keys.{shape.attended}",
            "values": f"values.{shape.attended}",
        }.get(what, what)
        return row[name].to(self._device).float()

    # endregion

    @torch.no_grad()
    def judge(self, rows: Sequence[Row]) -> tuple[int, tuple[float, ...]]:
        """How many held-out tokens were guessed at, and the share of them that the model says
        too, at each of `JUDGED_GAPS`."""
        total, right = 0, [0] * len(JUDGED_GAPS)
        for row in rows:
            chosen = predicted(row)
            target = row["said"][chosen]
            total += len(target)
            for at, gap in enumerate(JUDGED_GAPS):
                states = self._forward([row], gap)[0][chosen.to(self._device)]
                guess = self.head.logits(states, self.head.weight).argmax(dim=-1)
                right[at] += int((self.head.ids[guess].cpu() == target).sum())
        return total, tuple(r / max(1, total) for r in right)


def predicted(row: Row) -> Tensor:
    """(tokens,) bool: where the next token is to be predicted, and known."""
    counted = torch.zeros(len(row["tokens"]), dtype=torch.bool)
    counted[int(row["first"]) : -1] = True
    return counted
