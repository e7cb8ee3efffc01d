"""A window as a model writes it, line by line. It need not write the end of it, where that is a
copy.
"""

from collections.abc import Callable, Sequence

from ...models.prompts.next_edit.question import Format

LINES = 2  # that must be as they were, one after the other, for a copy to have gone on
LEAST_LETTERS = 3  # in them: brackets and blanks stand anywhere


class Rewritten:
    """`stops.StopRule`. Ends with the window, or where the rest can only be a copy, and there
    `is_enough` by then; or where the answer is over."""

    def __init__(
        self,
        kind: Format,
        window: Sequence[str],
        is_enough: Callable[[Sequence[str]], bool],
    ) -> None:
        """`is_enough` is asked about whole windows."""
        self._kind = kind
        self._window = window
        self._is_enough = is_enough
        self._answer = ""
        self.lines: Sequence[str] = ()  # of the whole window, once they are known

    def feed(self, text: str) -> tuple[str, bool]:
        self._answer += text
        written, is_over = self._kind.written(self._answer, is_over=False)
        if is_over:
            self.lines = written.split("\n")
        elif "\n" in text:
            self._look(written.split("\n")[:-1])
        return text, bool(self.lines)

    def end(self) -> None:
        """The answer is over."""
        if not self.lines:
            self.lines = self._kind.written(self._answer, is_over=True)[0].split("\n")

    def _look(self, written: Sequence[str]) -> None:
        """At the lines that are complete."""
        whole = rejoined(written, self._window)
        if whole is None:
            if list(written) == list(self._window):  # what could come is none of the window
                self.lines = written
        elif len(whole) == len(written) or self._is_enough(whole):
            self.lines = whole


def rejoined(written: Sequence[str], window: Sequence[str]) -> list[str] | None:
    """The whole window from the lines `written` of it so far, if something has changed in them and
    their last ones stand in it at one place only: what stands there behind them comes next."""
    same = 0
    while same < min(len(written), len(window)) and written[same] == window[same]:
        same += 1
    tail = list(written[-LINES:])
    if len(written) - same < LINES or sum(map(str.isalnum, "".join(tail))) < LEAST_LETTERS:
        return None
    starts = range(same, len(window) - LINES + 1)
    places = [at for at in starts if list(window[at : at + LINES]) == tail]
    if len(places) != 1:
        return None
    return [*written, *window[places[0] + LINES :]]
