"""Which drafters are asked, and what is counted of them; without a model."""

from dataclasses import dataclass, field

import torch

from keyturn.models.draft import Context, Draft, Scene, Verified
from keyturn.models.pace import Pace
from keyturn.models.speculator import Speculate, Speculation, Speculator

from .test_lookup import NoRows


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
        name, draft = speculation.draft(Context((), path, 1, NoRows()), 8)
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
    speculation = Speculator([searching], Pace()).speculation(Speculate.EXIT, Scene("x", ()))
    speculation.begin()
    assert rounds(speculation, 400, right=False) == 400
    late = [length for length in searching.asked if length > 200]
    assert len(searching.asked) >= 4
    assert len(late) <= 8


def test_a_drafter_that_is_right_is_asked_in_every_round() -> None:
    searching = Searching(guesses=(7,) * 8)
    speculator = Speculator([searching], Pace({1: 1.0, 32: 1.1}))
    speculation = speculator.speculation(Speculate.EXIT, Scene("x", ()))
    speculation.begin()
    drawn = rounds(speculation, 50, right=True)
    assert len(searching.asked) == 50
    assert drawn > 200
    assert speculation.use.accepted == drawn - 50
    assert speculator.status()["exit"]["acceptance"] == 1.0


def test_what_one_request_learns_the_next_one_of_the_language_knows() -> None:
    searching = Searching()
    speculator = Speculator([searching], Pace())
    for _ in range(20):
        speculation = speculator.speculation(Speculate.EXIT, Scene("x", ()))
        speculation.begin()
        rounds(speculation, 20, right=False)
    before = len(searching.asked)
    assert before < 50
    rounds(speculator.speculation(Speculate.EXIT, Scene("y", ())), 4, right=False)
    assert len(searching.asked) == before + 4
