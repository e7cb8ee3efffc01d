"""The oracle, which every kind of grammar is: can this text still become a program?

`Oracle.open` takes the text left of the cursor; the `State` that it hands out is immutable, so a
decoder may fork it, keep it and drop it at will. An oracle never refuses text that can go on; it
may let text pass that cannot.

`BothOracles` are two for one file, of which either may refuse: a language's grammar and a schema.
"""

from dataclasses import dataclass, replace
from typing import Protocol


class State(Protocol):
    """What an oracle knows after some text; never changes."""

    def feed(self, data: bytes) -> "State | None":
        """The state after more UTF-8 bytes, which may end inside a character; None to refuse."""
        ...

    def can_finish(self) -> bool:
        """Whether the file may end here."""
        ...

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """How many of the text's next `pieces` can be read from here, one after the other.

        One more if all of them can be, `finish` is set and the file may end behind them.
        """
        ...


@dataclass(frozen=True)
class Opening:
    """The state at the cursor and how much it means."""

    state: State
    constrained: bool  # False: the state lets everything pass
    reason: str = ""  # why it is not constrained, or what was skipped; one line for the user
    skipped_lines: int = 0  # lines on the left that the grammar could not read


class Oracle(Protocol):
    """One grammar for one file."""

    def open(self, left: str) -> Opening:
        """Read the text left of the cursor; quick if most of it is as it was the last time."""
        ...


@dataclass(frozen=True)
class Unconstrained:
    """The state that lets everything pass; `reason` says why there is no better one."""

    reason: str

    def feed(self, data: bytes) -> "Unconstrained":
        """Anything may follow."""
        return self

    def can_finish(self) -> bool:
        """Any text may end."""
        return True

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """All of them."""
        return len(pieces) + finish


@dataclass(frozen=True)
class Unavailable:
    """The oracle of a file whose language has no usable grammar."""

    reason: str

    def open(self, left: str) -> Opening:
        """Everything may follow, and the reason why."""
        return Opening(Unconstrained(self.reason), constrained=False, reason=self.reason)


def reach(state: State, pieces: tuple[str, ...], finish: bool) -> int:
    """`State.reach` for any state that can be fed."""
    for count, piece in enumerate(pieces):
        following = state.feed(piece.encode("utf-8", "replace"))
        if following is None:
            return count
        state = following
    return len(pieces) + (finish and state.can_finish())


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
