"""Persistent LR stacks: pushing makes a new node, so a fork or a roll-back costs nothing."""

from typing import NamedTuple

from .tables import ACCEPT, END_SYMBOL, SHIFT, START_STATE, LanguageTables


class Stack:
    """The top of a stack of parse states; never changed after it was made."""

    __slots__ = ("depth", "parent", "state")

    def __init__(self, state: int, parent: "Stack | None" = None):
        self.state = state
        self.parent = parent
        self.depth: int = parent.depth + 1 if parent is not None else 0

    def same(self, other: "Stack") -> bool:
        """Equal states all the way down; cheap, since forks share all but their last few nodes."""
        mine: Stack | None = self
        if self.depth != other.depth:
            return False
        theirs: Stack | None = other
        while mine is not theirs:
            assert mine is not None
            assert theirs is not None
            if mine.state != theirs.state:
                return False
            mine, theirs = mine.parent, theirs.parent
        return True


def bottom() -> Stack:
    """The stack before anything was read."""
    return Stack(START_STATE)


class Reached(NamedTuple):
    """Where one terminal leads: stacks after its shift, and stacks that a fork reduced to.

    The reduced ones still stand before the terminal. tree-sitter reads the token again in their
    state, where it may be another token, so the caller has to consider that too.
    """

    shifted: list[Stack]
    reduced: list[Stack]
    accepted: bool


def shift(tables: LanguageTables, stack: Stack, symbol: int) -> Reached:
    """All stacks after terminal `symbol`, through every reduction that it calls for."""
    shifted: list[Stack] = []
    reduced: list[Stack] = []
    accepted = forked = False
    work = [stack]
    for top in work:  # grows while we walk it
        actions = tables.actions(top.state, symbol)
        if len(actions) > 1:
            forked = True
        for action in actions:
            if action.kind == SHIFT:
                shifted.append(top if action.extra else Stack(action.target, top))
            elif action.kind == ACCEPT:
                accepted = True
            else:
                below = _pop(top, action.children)
                goto = tables.entry(below.state, action.target)
                if goto:
                    reached = Stack(goto, below)
                    if not (forked and any(reached.same(known) for known in work)):
                        work.append(reached)
                        reduced.append(reached)
    return Reached(shifted, reduced if forked else [], accepted)


def can_shift(tables: LanguageTables, stack: Stack, symbol: int) -> bool:
    """Whether terminal `symbol` can come next on this stack."""
    reached = shift(tables, stack, symbol)
    return reached.accepted or bool(reached.shifted)


def end_extra(tables: LanguageTables, stack: Stack) -> list[Stack]:
    """Stacks after the reduction that closes a non-terminal extra such as a heredoc's body."""
    after = []
    for action in tables.actions(stack.state, END_SYMBOL):
        if action.kind in (SHIFT, ACCEPT):
            continue
        below = _pop(stack, action.children)
        goto = tables.entry(below.state, action.target)
        if goto == below.state:  # the extra leaves no trace
            after.append(below)
        elif goto:
            after.append(Stack(goto, below))
    return after


def _pop(stack: Stack, count: int) -> Stack:
    for _ in range(count):
        assert stack.parent is not None, "a reduction below the start of the text"
        stack = stack.parent
    return stack
