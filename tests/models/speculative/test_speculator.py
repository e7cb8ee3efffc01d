"""Which drafters are asked, and what is counted of them; without a model."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch

from keyturn.api.request import SpeculationMode
from keyturn.models.speculative import speculator as speculator_module
from keyturn.models.speculative.draft import Context, Draft, Scene, Started, Verified
from keyturn.models.speculative.pass_cost import Pace
from keyturn.models.speculative.speculator import Speculation, Speculator
from support.models.one_drafter import NoRows


@dataclass
class Searching:
    """A drafter that takes its time, and says `guesses` or finds nothing."""

    guesses: tuple[int, ...] = ()
    name: str = "exit"
    free: bool = False
    taps: frozenset[int] = frozenset()
    asked: list[int] = field(default_factory=list)  # lengths of the paths

    def begin(self, scene: Scene) -> None:
        pass

    def propose(self, context: Context, budget: int) -> Draft:
        self.asked.append(len(context.path))
        sum(range(500))  # a while
        tokens = self.guesses[:budget]
        return Draft(tokens, (0.9,) * len(tokens))

    def observe(self, verified: Verified) -> None:
        pass


def rounds(speculation: Speculation, count: int, right: bool) -> int:
    """So many passes over a text of sevens, which drafts have right or not: the tokens drawn."""
    path = [7]
    for _ in range(count):
        context = Context((), path, 1, NoRows(), torch.zeros(1))
        name, draft = speculation.draft(context, 8)
        accepted = len(draft.tokens) if right else 0
        taken = [7] * (accepted + 1)
        blank = torch.zeros(1 + len(draft.tokens), 1)
        tokens = (path[-1], *draft.tokens)
        told = Verified(tokens, 1, draft, name, accepted, taken, blank, blank)
        speculation.verified(told, forward_ms=1.0)
        path += taken
    return len(path) - 1


def test_a_drafter_that_searches_in_vain_is_asked_less_and_less() -> None:
    searching = Searching()
    speculation = Speculator([searching], Pace()).speculation(SpeculationMode.EXIT, Scene("x", ()))
    speculation.begin()
    assert rounds(speculation, 400, right=False) == 400
    late = [length for length in searching.asked if length > 200]
    assert len(searching.asked) >= 4
    assert len(late) <= 8


def test_a_drafter_that_is_right_is_asked_in_every_round() -> None:
    searching = Searching(guesses=(7,) * 8)
    speculator = Speculator([searching], Pace({1: 1.0, 32: 1.1}))
    speculation = speculator.speculation(SpeculationMode.EXIT, Scene("x", ()))
    speculation.begin()
    drawn = rounds(speculation, 50, right=True)
    assert len(searching.asked) == 49  # from the first pass on it is known what one takes
    assert drawn > 200
    assert speculation.use.accepted == drawn - 50
    assert speculator.status()["exit"]["acceptance"] == 1.0


@dataclass
class Trained(Searching):
    right: float = 0.0


@pytest.mark.parametrize(("right", "asked"), [(0.31, False), (0.49, False), (0.5, True)])
def test_an_exit_that_is_seldom_right_is_asked_only_by_name(right: float, asked: bool) -> None:
    for mode, expected in ((SpeculationMode.AUTO, asked), (SpeculationMode.EXIT, True)):
        exit = Trained(guesses=(7,) * 8, right=right)
        speculation = Speculator([exit], Pace({1: 1.0, 32: 1.1})).speculation(mode, Scene("x", ()))
        speculation.begin()
        rounds(speculation, 20, right=True)
        assert bool(exit.asked) == expected


def test_what_one_request_learns_the_next_one_of_the_language_knows() -> None:
    searching = Searching()
    speculator = Speculator([searching], Pace())
    for _ in range(20):
        speculation = speculator.speculation(SpeculationMode.EXIT, Scene("x", ()))
        speculation.begin()
        rounds(speculation, 20, right=False)
    before = len(searching.asked)
    assert before < 50
    rounds(speculator.speculation(SpeculationMode.EXIT, Scene("y", ())), 4, right=False)
    assert len(searching.asked) == before + 4


def test_a_drafter_that_starts_from_the_last_state_is_not_asked_right_after_a_prompt() -> None:
    searching = Searching(guesses=(7,))
    speculation = Speculator([searching], Pace()).speculation(SpeculationMode.EXIT, Scene("x", ()))
    speculation.begin()
    assert speculation.draft(Context((), [7], 1, NoRows()), 8) == ("", Draft())
    assert not searching.asked


class Clock:
    """A time that passes where it is told to."""

    def __init__(self) -> None:
        self.ms = 0.0

    def perf_counter(self) -> float:
        return self.ms / 1000


@dataclass
class Starting(Searching):
    """Runs some layers of the model, which its round's verification then does not."""

    clock: Clock = field(default_factory=Clock)
    layers_ms: float = 5.0
    block_ms: float = 1.0

    def propose(self, context: Context, budget: int) -> Draft:
        self.asked.append(len(context.path))
        self.clock.ms += self.layers_ms + self.block_ms
        tokens = self.guesses[:budget]
        return Draft(tokens, (0.5,) * len(tokens), (), Started(1, torch.zeros(1, 1)), 1)


def started_rounds(
    starting: Starting, monkeypatch: pytest.MonkeyPatch, count: int, right: float
) -> Speculator:
    """Rounds of a model whose passes take 10 ms whatever their tokens, less the layers that the
    drafter has run. Its one token is right so often."""
    monkeypatch.setattr(
        speculator_module, "time", SimpleNamespace(perf_counter=starting.clock.perf_counter)
    )
    speculator = Speculator([starting], Pace({1: 1.0, 32: 1.0}))
    speculation = speculator.speculation(SpeculationMode.EXIT, Scene("x", ()))
    speculation.begin()
    path, owed = [7], 0.0
    for _ in range(count):
        name, draft = speculation.draft(Context((), path, 1, NoRows(), torch.zeros(1)), 1)
        owed += right * len(draft.tokens)
        accepted = int(owed)
        owed -= accepted
        path += [7] * (accepted + 1)
        blank = torch.zeros(1 + len(draft.tokens), 1)
        told = Verified(
            (7, *draft.tokens), 1, draft, name, accepted, [7] * (accepted + 1), blank, blank
        )
        speculation.verified(told, 10.0 - (starting.layers_ms if draft.started else 0.0))
    return speculator


def test_layers_that_the_verification_takes_over_are_charged_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Asking takes 6 ms of a pass's 10, but 5 of them are of that pass: right every other time, it
    gains 1.5 / 1.1; charged twice, it would lose."""
    starting = Starting(guesses=(7,))
    started_rounds(starting, monkeypatch, 200, right=0.5)
    assert len(starting.asked) > 190


def test_layers_that_are_run_again_are_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    starting = Starting(guesses=(7,), layers_ms=0.0, block_ms=6.0)
    started_rounds(starting, monkeypatch, 200, right=0.5)
    assert len(starting.asked) < 30


def test_what_guessing_costs_is_told_apart_and_where_it_was_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starting = Starting(guesses=(7,))
    speculator = started_rounds(starting, monkeypatch, 100, right=0.5)
    ledgers = speculator.ledgers.values()
    asked = len(starting.asked)
    assert sum(ledger.spent.rounds for ledger in ledgers) == 100
    assert sum(ledger.spent.drafting_ms for ledger in ledgers) == pytest.approx(6.0 * asked)
    assert sum(ledger.spent.control_ms for ledger in ledgers) == pytest.approx(0, abs=1e-6)
    vain = sum(ledger.vain.rounds for ledger in ledgers)
    accepted = sum(ledger.accepted for ledger in ledgers)
    assert vain == 100 - accepted
    assert speculator.ledgers["exit"].by_exit == {1: (asked, accepted)}
