"""DEL: the model's first layers guess, the others verify, and shadow tokens choose the exit.

One drafted token after the other runs through the layers up to the exit; verification takes their
keys, values and states over and runs the layers above. Then every candidate exit is asked what it
would have said at the positions just verified, and `del_statistics` decides the next round.

Where this differs from the release (all of it defects there): nothing is learnt from the prompt,
whose states are not kept, so a request starts with one token from the first exit; the statistics
take no part of a position whose input was wrong; and `DelRules.rests` can leave a round undrafted.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...nn.transformer import Transformer
from ..draft import Context, Draft, Scene, Started, Verified
from .del_statistics import Costs, DelRules, DelStatistics
from .reader import ExitReader


class DelDrafter:
    """Owns the statistics; forgets them with every completion, as published, unless `keeps`."""

    free = False

    def __init__(
        self,
        model: Transformer,
        exits: Sequence[int],
        reader: ExitReader,
        costs: Costs | None = None,
        rules: DelRules | None = None,
        ends: frozenset[int] = frozenset(),
        keeps: bool = False,
        name: str = "del",
    ) -> None:
        """`exits`: numbers of layers to consider, ascending, each below the model's. `costs`:
        default as published. `ends`: tokens after which nothing is drafted."""
        layers = model.config.layers
        assert list(exits) == sorted(exits), exits
        assert all(0 < e < layers for e in exits), exits
        self.name = name
        self.taps = frozenset(exits)
        self._model = model
        self._exits = tuple(exits)
        self._reader = reader
        self._costs = costs or Costs.in_layers(exits, layers)
        self._rules = rules or DelRules()
        self._ends = ends
        self._keeps = keeps
        self._by_language: dict[str, DelStatistics] = {}
        self.statistics = self._fresh()
        self._states: dict[int, list[Tensor]] = {}  # exit -> (1, hidden) per place, while drafting

    def _fresh(self) -> DelStatistics:
        return DelStatistics(self._exits, self._costs, self._rules)

    def begin(self, scene: Scene) -> None:
        if self._keeps:
            self.statistics = self._by_language.setdefault(scene.language, self._fresh())
        else:
            self.statistics = self._fresh()

    @torch.inference_mode()
    def propose(self, context: Context, budget: int) -> Draft:
        self._states = {}
        exit_, length = self.statistics.choose()
        most = min(budget, self._rules.most_tokens)
        if not self.statistics.begun():
            most = 1
        elif length == 0 and self._rules.rests:
            return Draft()
        tally = self.statistics.tallies[exit_]
        threshold = tally.threshold if self._rules.stop_early else float("nan")
        tokens: list[int] = []
        confidences: list[float] = []
        place, unseen = 0, list(context.path[len(context.path) - context.unseen :])
        upcoming = unseen
        while True:
            hidden = self._run(context, upcoming, place, exit_)
            place += len(upcoming)
            doubtful = bool(confidences) and confidences[-1] < threshold
            if len(tokens) >= most or doubtful or (tokens and tokens[-1] in self._ends):
                break
            guess = self._reader.read(exit_, hidden[-1:])
            tokens.append(int(guess.tokens[0]))
            confidences.append(float(guess.confidences[0]))
            upcoming = tokens[-1:]
        states = torch.cat(self._states[exit_])
        return Draft(tuple(tokens), tuple(confidences), (), Started(exit_, states), exit_)

    def _run(self, context: Context, tokens: Sequence[int], place: int, exit_: int) -> Tensor:
        """`tokens` through the layers up to the exit; keeps what each candidate below sees."""
        rows, model = context.rows, self._model
        step = rows.step(place, len(tokens))
        hidden = model.embed(torch.tensor(tokens, device=model.device))
        before = 0
        for stop in (e for e in self._exits if e <= exit_):
            hidden = model.run(hidden, step, rows.arena, range(before, stop))
            self._states.setdefault(stop, []).append(hidden)
            before = stop
        return hidden

    @torch.inference_mode()
    def observe(self, verified: Verified) -> None:
        """Ask every candidate for its shadow tokens, where the inputs were right: up to and with
        the position that predicted the first wrong draft token."""
        own = verified.drafter == self.name and verified.draft.started is not None
        stop = verified.unseen + verified.accepted
        span = slice(verified.unseen - 1, stop)
        said = verified.logits[: verified.accepted + 1].argmax(dim=-1)
        shadows: dict[int, list[tuple[bool, float]]] = {}
        for exit_ in self._exits:
            if exit_ in verified.tapped:
                states = verified.tapped[exit_]
            elif own and exit_ in self._states:
                states = torch.cat(self._states[exit_])
            else:
                continue  # run through by another drafter, which kept nothing of it
            guess = self._reader.read(exit_, states[span])
            matched = (guess.tokens == said).tolist()
            shadows[exit_] = list(zip(matched, guess.confidences.tolist(), strict=True))
        self.statistics.add_round(shadows)
        self._states = {}
