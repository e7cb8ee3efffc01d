"""The completer's request and answer: plain data, whoever asks."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ...api.confidence import Confidence
from ...api.report import CompletionMeta, Finish
from ...api.request import CompletionOptions
from ...models.confidence.evidence import Said

TINY = 1e-12  # a probability that is not zero


def never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Near:
    """The text near the cursor."""

    prefix: str
    suffix: str
    newline: str

    def restored(self, text: str) -> str:
        """Generated text with the file's line ends."""
        return text.replace("\n", self.newline)


@dataclass(frozen=True, slots=True)
class InfillRequest:
    """Complete between `prefix` and `suffix` of the file at `path`, which need not exist. Their
    lines end in a line feed (`file_text.FileText`), what is answered has the file's `newline`."""

    prefix: str
    suffix: str = ""
    path: str = ""
    options: CompletionOptions = field(default_factory=CompletionOptions)
    newline: str = "\n"
    deadline: float | None = None  # by time.monotonic(), seconds; that of `options` is not read
    cancelled: Callable[[], bool] = never  # looked at between steps
    stream: Callable[[str], None] | None = None  # gets the first candidate's text in pieces

    @property
    def is_automatic(self) -> bool:
        """Whether somebody types, and did not ask: what is unlikely will be cut off."""
        return self.options.line_ms is not None

    def with_options(self, **changed: Any) -> "InfillRequest":
        """The same with other options."""
        return replace(self, options=replace(self.options, **changed))

    def near(self, characters: int) -> Near:
        """At most so many on either side of the cursor."""
        start = max(0, len(self.prefix) - characters)
        return Near(self.prefix[start:], self.suffix[:characters], self.newline)

    def decoding_now(self) -> "InfillRequest":
        """As it stands when its prompt has been read: the time for decoding begins."""
        if self.options.decode_ms is None:
            return self
        given = math.inf if self.deadline is None else self.deadline
        return replace(self, deadline=min(given, time.monotonic() + self.options.decode_ms / 1e3))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Text to insert, perhaps none; `tokens` were generated for it, `generated` is all they say,
    `said` is that token by token, and how sure the model was: to the last bit, that depends on how
    many tokens it was asked about at once."""

    text: str
    tokens: int
    finish: Finish
    generated: str = ""
    said: tuple[Said, ...] = field(default=(), compare=False)
    ends: tuple[int, ...] | None = None  # of lines, where it could end; None: not looked at
    # None where the model has drawn at random.
    confidence: Confidence | None = field(default=None, compare=False)

    @property
    def likelihood(self) -> float:
        """The logarithm of its probability, as far as it is known."""
        return sum(math.log(max(said.odds.chance, TINY)) for said in self.said)


@dataclass(frozen=True, slots=True)
class Found:
    """The distinct candidates worth showing, best first, perhaps none; and how they were made."""

    candidates: tuple[Candidate, ...]
    meta: CompletionMeta

    @property
    def text(self) -> str:
        """The best candidate's, or nothing."""
        return self.candidates[0].text if self.candidates else ""
