"""The window: the part of a long file that a prompt shows. It moves in large strides, so that
typing does not move it.

Every move drops tokens at one end and adds some at the other. Plain integers, in tokens.
"""

from ...models.prompts.fim import Span

STRIDE = 8  # a moved window leaves an eighth of the budget free, so that typing has room


def choose(total: int, cursor: int, budget: int, prefix_share: float, current: Span | None) -> Span:
    """A window of at most `budget` tokens around `cursor` in a file of `total`.

    The `current` one is kept as long as it fits the budget and shows at least half of what a new
    one would show on either side.
    """
    if total <= budget:
        return Span(0, total)
    room = budget - budget // STRIDE
    before, after = min(cursor, round(room * prefix_share)), total - cursor
    after = min(after, room - before)
    before = min(cursor, room - after)
    if (
        current is not None
        and current.start <= cursor <= current.stop <= total
        and current.stop - current.start <= budget
        and cursor - current.start >= before // 2
        and current.stop - cursor >= after // 2
    ):
        return current
    return Span(cursor - before, cursor + after)
