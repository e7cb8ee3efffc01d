"""Windows: the part of a long file that a prompt shows. They move in large strides, so that typing
does not move them.

Every move drops tokens at one end and adds some at the other. A file has the wide one, and narrow
ones for when much of the wide one would have to be encoded before an answer.
"""

from ...cache.tokens import TokenisedText
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


class Windows:
    """Those of one file, in characters, so that edits move them with the text."""

    def __init__(self) -> None:
        self._spans: dict[int, Span] = {}  # by room in tokens; none where all is shown
        self.last: Span | None = None  # what the last prompt showed

    def edited(self, start: int, stop: int, new: str) -> None:
        """Characters were replaced."""

        def moved(span: Span) -> Span:
            return Span(*(shifted(offset, start, stop, new) for offset in span))

        self._spans = {room: moved(span) for room, span in self._spans.items()}
        self.last = self.last and moved(self.last)

    def show(self, text: TokenisedText, cursor: int, room: int, prefix_share: float) -> Span:
        """The characters to show with the cursor before character `cursor`: whole lines, where the
        file does not fit into `room` tokens."""
        before = self._spans.get(room)
        current = before and Span(text.index(before.start), text.index(before.stop))
        found = choose(len(text), text.index(cursor), room, prefix_share, current)
        if found == Span(0, len(text)):
            self._spans.pop(room, None)
            return Span(0, len(text.text))
        if before is None or found != current:
            start, stop = text.offset(found.start), text.offset(found.stop)
            if start > 0:
                start = text.text.find("\n", start, cursor) + 1 or start
            if stop < len(text.text):
                stop = text.text.rfind("\n", cursor, stop) + 1 or stop
            before = Span(min(start, cursor), max(stop, cursor))
            self._spans[room] = before
        return before


def shifted(offset: int, start: int, stop: int, new: str) -> int:
    """Where a character is after an edit; inside the replaced text, at its end."""
    if offset < start:
        return offset
    return max(offset, stop) + len(new) - (stop - start)
