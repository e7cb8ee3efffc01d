"""Short drafts for one of several branches that are continued together."""

import copy
from collections.abc import Callable, Iterable

from .controller import Controller
from .draft import Context, Draft, Drafter, Scene, Verified

DRAFT_TOKENS = 8


class BranchGuess:
    """`verify.Guesser` of one branch: what the controller makes of its drafters' drafts, as for a
    completion alone. Its rounds are not what the controller learns from."""

    taps: frozenset[int] = frozenset()

    def __init__(
        self,
        controller: Controller,
        drafters: Iterable[Drafter],
        scene: Scene,
        count: Callable[[Verified], None],
    ) -> None:
        """By copies of free `drafters`, which share what they learn. `count` gets every round."""
        self._controller = controller
        self._drafters = {drafter.name: copy.copy(drafter) for drafter in drafters}
        self._count = count
        for drafter in self._drafters.values():
            drafter.begin(scene)

    def draft(self, context: Context, budget: int) -> tuple[str, Draft]:
        budget = min(budget, DRAFT_TOKENS)
        if not budget:
            return "", Draft()
        drafts = {name: each.propose(context, budget) for name, each in self._drafters.items()}
        offered = self._controller.offered
        plans = {name: offered(name, draft.confidences) for name, draft in drafts.items()}
        name, plan = self._controller.choose(plans)
        return name, drafts[name].first(plan.tokens) if name else Draft()

    def verified(self, verified: Verified, forward_ms: float) -> None:
        self._count(verified)
        for drafter in self._drafters.values():
            drafter.observe(verified)
