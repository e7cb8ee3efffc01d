"""What is typed: stretches of a file that were taken out of it, key by key, and where it pauses."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

LINES = 4  # of a stretch
MOST_COLUMNS = 160
BURST_KEYS = (2, 12)  # from one pause to the next
KEY = re.compile(r"\n[ \t]*|.", re.DOTALL)  # an editor indents a new line


@dataclass(frozen=True, slots=True)
class Pause:
    """Where somebody stops and looks. `keys` were typed since the last one; `left` is what belongs
    there: the rest of the stretch."""

    before: str
    after: str
    keys: tuple[str, ...]
    left: str

    @property
    def rest(self) -> str:
        """What belongs on the rest of the line."""
        return self.left.partition("\n")[0]


class Gaps:
    """A file without some stretches of it, which are typed one after the other."""

    def __init__(self, text: str, count: int, draw: Random) -> None:
        self._kept: list[str] = []
        self.typed: list[str] = []
        self._draw = draw
        lines = text.split("\n")
        end = 0
        for first in _spread(lines, count, draw):
            indent = len(lines[first]) - len(lines[first].lstrip())
            stretch = "\n".join(lines[first : first + LINES])[indent:]
            self._keep([*lines[end:first], lines[first][:indent]])
            self.typed.append(stretch)
            end = first + LINES
        self._keep(lines[end:])

    def _keep(self, lines: Sequence[str]) -> None:
        """Behind a stretch, what is kept begins on a line of its own."""
        self._kept.append("\n" * bool(self._kept) + "\n".join(lines))

    @property
    def text(self) -> str:
        """The file before anything is typed."""
        return "".join(self._kept)

    def pauses(self, number: int) -> Iterator[Pause]:
        """Those of one stretch, when the ones before it have been typed."""
        done = zip(self._kept, self.typed[:number], strict=False)
        head = "".join(part for pair in done for part in pair) + self._kept[number]
        tail = "".join(self._kept[number + 1 :])
        stretch, at = self.typed[number], 0
        keys = KEY.findall(stretch)
        while keys:
            burst = tuple(keys[: self._draw.randint(*BURST_KEYS)])
            keys = keys[len(burst) :]
            at += sum(map(len, burst))
            yield Pause(head + stretch[:at], tail, burst, stretch[at:])


def _spread(lines: Sequence[str], count: int, draw: Random) -> Iterator[int]:
    """First lines of stretches, one in each of so many parts of the file, if there is any."""
    size = len(lines) // count
    for part in range(count):
        places = [
            first
            for first in range(part * size, (part + 1) * size - LINES)
            if lines[first].strip() and all(map(_is_usual, lines[first : first + LINES]))
        ]
        if places:
            yield draw.choice(places)


def _is_usual(line: str) -> bool:
    return len(line) <= MOST_COLUMNS and line.isascii()
