"""What the engine is asked and what it answers: plain data, whoever asks."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ...api.report import CacheUse, Finish, GrammarUse, SpeculationUse
from ...api.request import Extent, GrammarMode, Sampling, SpeculationMode


@dataclass(frozen=True, slots=True)
class Request:
    """Complete between `prefix` and `suffix` of the file at `path`, which need not exist."""

    prefix: str
    suffix: str = ""
    path: str = ""
    max_tokens: int = 64
    extent: Extent = Extent.AUTO
    sampling: Sampling = field(default_factory=Sampling)
    candidates: int = 1
    deadline: float | None = None  # by time.monotonic(), seconds
    decode_seconds: float | None = None  # also ends this long after the prompt has been read
    grammar: GrammarMode = GrammarMode.EXACT
    speculate: SpeculationMode = SpeculationMode.AUTO

    def decoding_now(self) -> "Request":
        """As it stands when its prompt has been read: the time for decoding begins."""
        if self.decode_seconds is None:
            return self
        given = math.inf if self.deadline is None else self.deadline
        return replace(self, deadline=min(given, time.monotonic() + self.decode_seconds))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Text to insert, perhaps none; `tokens` were generated for it, `generated` is all they say."""

    text: str
    tokens: int
    finish: Finish
    generated: str = ""


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds per phase."""

    tokenise: float = 0.0
    prefill: float = 0.0
    decode: float = 0.0


@dataclass(frozen=True, slots=True)
class Completion:
    """The distinct candidates worth showing, best first, perhaps none; and how they were made."""

    candidates: tuple[Candidate, ...]
    finish: Finish  # of the best candidate, or what cut the request short
    prompt_tokens: int
    reused_tokens: int  # of the prompt, found in the cache
    generated_tokens: int  # for all candidates, also for those not worth showing
    timings: Timings
    cache: CacheUse | None = None  # None without a session
    grammar: GrammarUse = field(default_factory=GrammarUse)
    speculation: SpeculationUse = field(default_factory=SpeculationUse)

    @property
    def text(self) -> str:
        """The best candidate's, or nothing."""
        return self.candidates[0].text if self.candidates else ""


def distinct(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Those with text, each text once, in their order."""
    by_text: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.text:
            by_text.setdefault(candidate.text, candidate)
    return tuple(by_text.values())
