"""Two oracles for one file, of which either may refuse: a language's grammar and a schema."""

from dataclasses import dataclass, replace

from .oracle import Opening, Oracle, State, Unconstrained


@dataclass(frozen=True)
class BothStates:
    """What both know."""

    first: State
    second: State

    def feed(self, data: bytes) -> State | None:
        """See `oracle.State`."""
        first = self.first.feed(data)
        second = None if first is None else self.second.feed(data)
        if first is None or second is None:
            return None
        return both(first, second)

    def can_finish(self) -> bool:
        """See `oracle.State`."""
        return self.first.can_finish() and self.second.can_finish()

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """See `oracle.State`."""
        return min(self.first.reach(pieces, finish), self.second.reach(pieces, finish))


@dataclass(frozen=True)
class BothOracles:
    """Opens with both; where only one of them can say anything, with that one."""

    first: Oracle
    second: Oracle

    def open(self, left: str) -> Opening:
        """See `oracle.Oracle`. What the second one says of itself is told too."""
        first, second = self.first.open(left), self.second.open(left)
        return replace(
            first,
            state=both(first.state, second.state),
            constrained=first.constrained or second.constrained,
            reason="; ".join(filter(None, (first.reason, second.reason))),
        )


def both(first: State, second: State) -> State:
    """One state that refuses what either refuses."""
    if isinstance(first, Unconstrained):
        return second
    return first if isinstance(second, Unconstrained) else BothStates(first, second)
