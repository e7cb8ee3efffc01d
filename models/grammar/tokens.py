"""The grammar over a model's tokens: what `align` asks, answered byte for byte.

A token's bytes may end inside a character or inside a word; the states below take care of both.
Where the prompt was cut back to heal a token, open the oracle at the cut: the bytes that the first
tokens must repeat then come through here like all others.
"""

from collections import OrderedDict
from collections.abc import Callable

from .oracle import Opening, State
from .right import RightContext

REMEMBERED = 32_768  # decisions


class Constraint:
    """One request's guard (`aligned_trie.Guard`): the left context, tokens, the right context."""

    def __init__(
        self,
        opening: Opening,
        token_bytes: Callable[[int], bytes],
        right: RightContext | None = None,
    ):
        self.opening = opening
        self.right = right
        self.decisions = 0  # asked of the oracle, cached ones left out
        self._token_bytes = token_bytes
        self._known: OrderedDict[tuple[int, int], tuple[State, State | None]] = OrderedDict()

    def start(self) -> State:
        """The state at the cursor."""
        return self.opening.state

    def take(self, state: State, token: int) -> State | None:
        """The state after `token`; None to refuse it. A token without bytes is refused."""
        key = (id(state), token)
        known = self._known.get(key)
        if known is not None:
            return known[1]
        data = self._token_bytes(token)
        after = state.feed(data) if data else None
        self.decisions += 1
        self._known[key] = (state, after)  # holding the state keeps its id its own
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return after

    def over(self, state: State) -> bool:
        """Only a stop token ends a completion here."""
        return False

    def may_stop(self, state: State) -> bool:
        """Whether the completion may end here."""
        if self.right is None:
            return state.can_finish()
        return self.right.fits(state)
