"""After which tokens the model found which others likely."""

from dataclasses import dataclass, field

PAIR_TRUST, SINGLE_TRUST = 0.75, 0.45  # of a remembered probability; the controller knows better
MOST_PAIRS = 50_000  # of tokens; the oldest are forgotten

Successors = tuple[tuple[int, ...], tuple[float, ...]]  # ids and probabilities, best first


@dataclass
class Memory:
    """What followed, in one language."""

    singles: dict[int, Successors] = field(default_factory=dict)
    pairs: dict[tuple[int, int], Successors] = field(default_factory=dict)
    news: int = 0  # learnt since it was last kept

    def learn(self, before: int | None, token: int, successors: Successors) -> None:
        self.news += 1
        self.singles[token] = successors
        if before is not None:
            self.pairs.pop((before, token), None)  # the newest last
            self.pairs[before, token] = successors
            if len(self.pairs) > MOST_PAIRS:
                del self.pairs[next(iter(self.pairs))]

    def after(self, before: int | None, token: int) -> tuple[Successors, float] | None:
        """Successors, and how far they are to be trusted."""
        if before is not None and (found := self.pairs.get((before, token))):
            return found, PAIR_TRUST
        found = self.singles.get(token)
        return found and (found, SINGLE_TRUST)
