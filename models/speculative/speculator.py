"""The speculator of one model: its drafters, and what is learnt of them from request to request."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ...api.report import SpeculationUse
from ...api.request import SpeculationMode
from ..errors import ModelError
from .branch_guess import BranchGuess
from .controller import HOPE, Controller, Plan
from .draft import Context, Draft, Drafter, Scene, Verified
from .pass_cost import Ledger, Pace

LEAST_RIGHT = 0.5  # of an exit's first tokens: beside look-ups, one that is seldomer right loses


@runtime_checkable
class Remembering(Protocol):
    """A drafter that keeps what it learns beyond the process."""

    def save(self) -> None: ...


@runtime_checkable
class Tested(Protocol):
    """A drafter that takes its time, and was tested before."""

    @property
    def right(self) -> float:
        """The share of its first tokens that were."""
        ...


class Speculator:
    """Owns the drafters, the controllers of every language, and the ledgers. One thread's."""

    def __init__(self, drafters: Iterable[Drafter], pace: Pace) -> None:
        self.drafters = {drafter.name: drafter for drafter in drafters}
        self.ledgers: dict[str, Ledger] = {}  # by drafter, "" for plain rounds
        self._pace = pace
        self._controllers: dict[str, Controller] = {}

    def speculation(self, mode: SpeculationMode, scene: Scene) -> "Speculation":
        """For one request. Raises `ModelError` if the model has no such drafter."""
        controller = self._controllers.setdefault(scene.language, Controller(self._pace))
        judged = mode is not SpeculationMode.DEL  # as published, it drafts in every round
        return Speculation(controller, self._allowed(mode), scene, self.ledgers, judged)

    def save(self) -> None:
        """Have the drafters that remember write it down. Raises `ModelError`."""
        for drafter in self.drafters.values():
            if isinstance(drafter, Remembering):
                drafter.save()

    def status(self) -> dict[str, dict[str, float | int | None]]:
        """What every arm has done since the start: `acceptance` of its drafted tokens, and `gain`,
        how much faster its rounds were than plain decoding of the same tokens."""
        return {
            name or "plain": {
                "rounds": ledger.spent.rounds,
                "drafted": ledger.drafted,
                "accepted": ledger.accepted,
                "acceptance": round(ledger.accepted / ledger.drafted, 3) if name else None,
                "gain": None if ledger.gain is None else round(ledger.gain, 3),
            }
            for name, ledger in self.ledgers.items()
        }

    def _allowed(self, mode: SpeculationMode) -> list[Drafter]:
        if mode is SpeculationMode.OFF:
            return []
        if mode is SpeculationMode.AUTO:
            # as published, DEL asks every layer in every round, which costs more than it gives
            return [d for d in self.drafters.values() if d.name != SpeculationMode.DEL and _pays(d)]
        if mode not in self.drafters:
            raise ModelError(f"the model has no {mode} drafter here: use --speculate auto")
        return [self.drafters[mode]]


def _pays(drafter: Drafter) -> bool:
    return not isinstance(drafter, Tested) or drafter.right >= LEAST_RIGHT


@dataclass(slots=True)
class _Bet:
    """A draft whose tokens are compared with what comes, used or not."""

    draft: Draft
    start: int  # tokens of the path before it
    checked: int = 0


class Speculation:
    """`verify.Guesser` for the candidates of one request; `begin` before each."""

    def __init__(
        self,
        controller: Controller,
        drafters: Iterable[Drafter],
        scene: Scene,
        ledgers: dict[str, Ledger],
        judged: bool = True,
    ) -> None:
        """Not `judged`, the one drafter given is asked and verified in every round."""
        self.passes = 0
        self.own_ms = 0.0  # spent on anything but verification
        self._drafting_ms = 0.0  # of it, by drafters that take their time
        self._judged = judged
        self._controller = controller
        self._drafters = {drafter.name: drafter for drafter in drafters}
        self.taps = frozenset(tap for d in self._drafters.values() for tap in d.taps)
        self._scene = scene
        self._ledgers = ledgers
        self._bets: dict[str, _Bet] = {}
        self._round_ms = 0.0  # spent for this round so far, with its drafter's
        self._asked_ms = 0.0  # of it, by the drafter that took its time
        self._slow = ""  # that drafter
        self._length = 0  # of the path at the last draft
        self._counts: dict[str, tuple[int, int]] = {}  # drafter -> drafted, accepted
        self._exit_layer: int | None = None

    @property
    def use(self) -> SpeculationUse:
        drafted = sum(count for count, _ in self._counts.values())
        accepted = sum(count for _, count in self._counts.values())
        most = max(self._counts, key=lambda name: self._counts[name][1], default="")
        return SpeculationUse(
            most,
            drafted,
            accepted,
            self.passes,
            self._exit_layer,
            round(self.own_ms, 2),
            round(self._drafting_ms, 2),
        )

    def branch(self) -> BranchGuess:
        """For one of several candidates that are continued together."""
        free = [drafter for drafter in self._drafters.values() if drafter.free]
        return BranchGuess(self._controller, free, self._scene, self._count)

    def begin(self) -> None:
        """A candidate starts."""
        began = time.perf_counter()
        self._bets.clear()
        self._length = 0
        for drafter in self._drafters.values():
            drafter.begin(self._scene)
        self._round_ms = self._asked_ms = 0.0
        self._spent(began)

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        """The most promising draft, as long as it is worth verifying."""
        began = time.perf_counter()
        if len(context.path) < self._length:  # back from a dead end
            self._bets.clear()
        self._length = len(context.path)
        self._slow = ""
        if budget == 0:
            return "", Draft()
        if not self._judged:
            [name] = self._drafters
            draft = self._asked(name, context, budget)
            self._spent(began)
            return name, draft
        drafts: dict[str, Draft] = {}
        plans: dict[str, Plan] = {}
        for name, drafter in self._drafters.items():
            if drafter.free:
                drafts[name] = drafter.propose(context, budget)
                plans[name] = self._controller.offered(name, drafts[name].confidences)
                if drafts[name].tokens:
                    self._bets.setdefault(name, _Bet(drafts[name], self._length))
            elif context.hidden is not None:  # right after a prompt there is nothing to start from
                right = drafter.right if isinstance(drafter, Tested) else HOPE
                plans[name] = self._controller.wished(name, budget, right)
        chosen, plan = self._controller.choose(plans)
        for name, drafter in self._drafters.items():
            if not drafter.free and name != chosen:
                self._controller.arm(name).left_alone()
        self._slow = "" if chosen in drafts else chosen
        if self._slow:
            drafts[chosen] = self._asked(chosen, context, plan.tokens)
            self._bets[chosen] = _Bet(drafts[chosen], self._length)
        self._spent(began)
        return (chosen, drafts[chosen].first(plan.tokens)) if chosen else ("", Draft())

    def _spent(self, began: float) -> None:
        """Since then, by the performance counter."""
        took_ms = (time.perf_counter() - began) * 1000
        self._round_ms += took_ms
        self.own_ms += took_ms

    def _asked(self, name: str, context: Context, tokens: int) -> Draft:
        began = time.perf_counter()
        draft = self._drafters[name].propose(context, tokens)
        self._asked_ms = (time.perf_counter() - began) * 1000
        self._drafting_ms += self._asked_ms
        return draft

    def verified(self, verified: Verified, forward_ms: float) -> None:
        """Count what came of a round, and tell the drafters."""
        began = time.perf_counter()
        drafted = len(verified.draft.tokens)
        name = verified.drafter if drafted else ""
        pace = self._controller.pace
        if verified.unseen == 1 and verified.draft.started is None:  # a whole pass
            pace.saw(1 + drafted, forward_ms)
        self.passes += 1
        plain_ms = (1 + verified.accepted) * pace.ms(1)
        ledger = self._ledgers.setdefault(name, Ledger())
        ledger.add(drafted, verified.accepted, verified.draft.exit_layer)
        if self._slow:  # also where it found nothing
            took_ms = self._asked_ms + forward_ms
            arm = self._controller.arm(self._slow)
            arm.found(drafted, min(took_ms - pace.ms(1 + drafted), pace.ms(1)))
            arm.saved(plain_ms - took_ms)
        self._count(verified)
        self._settle_bets(verified)
        for drafter in self._drafters.values():
            drafter.observe(verified)
        self._spent(began)
        self._controller.drew(1 + verified.accepted, forward_ms + self._round_ms)
        control_ms, vain = self._round_ms - self._asked_ms, not verified.accepted
        ledger.took(forward_ms, plain_ms, control_ms, self._asked_ms, vain)
        self._round_ms = self._asked_ms = 0.0

    def _count(self, verified: Verified) -> None:
        if verified.draft.tokens:
            drafted, accepted = self._counts.get(verified.drafter, (0, 0))
            drafted += len(verified.draft.tokens)
            self._counts[verified.drafter] = drafted, accepted + verified.accepted
            self._exit_layer = verified.draft.exit_layer or self._exit_layer

    def _settle_bets(self, verified: Verified) -> None:
        """Compare what was proposed with what was taken; `taken` follows the path of the round."""
        for name, bet in list(self._bets.items()):
            arm = self._controller.arm(name)
            for at, token in enumerate(verified.taken, self._length - bet.start):
                if at >= len(bet.draft.tokens):
                    break
                hit = bet.draft.tokens[at] == token
                arm.count(bet.draft.confidences[at], hit)
                bet.checked = at + 1 if hit else len(bet.draft.tokens)
                if not hit:
                    break
            if bet.checked >= len(bet.draft.tokens):
                del self._bets[name]
