"""How wide a window is answered from, while the wide one is not in the cache.

Where much would have to be encoded before an answer (a file that was just opened, a jump), the
answer comes from a narrow window. Idle time then makes it wider step by step, so that whoever types
again meanwhile finds the last step done, or almost.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ...cache.plan import EditPlan, Target
from ...models.prompts.fim import Prompt, PromptOptions, Span

QUICK_TOKENS = 256  # a prompt that takes more is not waited for, if there is a quicker one
NARROW_TOKENS = 768  # of the narrowest window's prompt
MOST_TOKENS = 2 * NARROW_TOKENS  # encoded before an answer, where a window may grow
ALMOST = 64  # tokens that a step may lack for an answer to wait for its end
EDIT_TOKENS = 96  # what an edit takes with its repairs: no reason to begin anew, however wide
USUAL_TOKENS = 2048  # of a window: what is encoded in a wider one attends to more
AS_MUCH_TOKENS = 1_536  # attending to so many takes as long as all else that a token goes through
WIDER_BY_TOKENS = 128  # a step is given up where somebody asks before its end


@dataclass(frozen=True, slots=True)
class Planned:
    """The prompt that is due, and what has to be done to have it in the cache."""

    prompt: Prompt
    target: Target
    plan: EditPlan
    window: Span  # characters of the text
    whole: bool  # whether that is all of it, and the prompt has all its tokens

    @property
    def cost(self) -> float:
        """The time that encoding takes, in tokens of a window of the usual width."""
        wider = max(USUAL_TOKENS, len(self.target.tokens)) - USUAL_TOKENS
        return self.plan.encoded * (1 + wider / (USUAL_TOKENS + AS_MUCH_TOKENS))


Plan = Callable[[PromptOptions], Planned]


class Growth:
    """The width of one file's window, in tokens of its prompt."""

    def __init__(self) -> None:
        self._wish: PromptOptions | None = None  # of the prompt to grow to
        self._reached = NARROW_TOKENS

    def choose(self, plan: Plan, options: PromptOptions, narrow_first: bool) -> Planned:
        """What to encode for an answer, of what `plan` makes of the wide window's options or of
        narrower ones."""
        wide, self._wish = plan(options), None
        if not narrow_first or wide.plan.encoded <= EDIT_TOKENS or wide.cost <= QUICK_TOKENS:
            return wide
        narrow = self._narrow(plan, options)
        if 2 * narrow.cost > wide.cost:
            return wide
        self._wish = options
        return narrow

    def _narrow(self, plan: Plan, options: PromptOptions) -> Planned:
        """The widest that idle time has come to, or almost, or the narrowest that there is."""
        for tokens, most in ((_wider(self._reached), ALMOST), (self._reached, QUICK_TOKENS)):
            planned = plan(_within(tokens, options))
            if planned.plan.encoded <= most:
                self._reached = tokens
                return planned
        self._reached = NARROW_TOKENS
        return plan(_within(NARROW_TOKENS, options))

    def next(self, plan: Plan) -> Planned | None:
        """What idle time has to encode; None when the window is as wide as is wished."""
        while (wish := self._wish) is not None:
            options = _within(_wider(self._reached), wish)
            planned = plan(options)  # one for each step: it takes milliseconds in a wide window
            if not _is_there(planned.plan):
                return planned
            self._reached = _wider(self._reached)
            if planned.whole or options == wish:
                self._wish = None
        return None

    def end(self) -> None:
        """Grow no further."""
        self._wish = None


def _is_there(plan: EditPlan) -> bool:
    """Whether the prompt is in the cache, but for its last token, which is always encoded again."""
    return plan.encoded <= 1 and sum(map(len, plan.drops)) <= 1


def _within(tokens: int, options: PromptOptions) -> PromptOptions:
    """For a prompt of at most so many."""
    return replace(options, budget_tokens=min(tokens, options.budget_tokens))


def _wider(tokens: int) -> int:
    """Of the next wider window's prompt."""
    return tokens + WIDER_BY_TOKENS
