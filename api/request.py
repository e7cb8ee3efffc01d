"""A request for completions: where, how far, and how tokens are chosen."""

from dataclasses import dataclass, field
from enum import StrEnum

from .bounds import (
    Candidates,
    Milliseconds,
    Offset,
    Seed,
    Share,
    Temperature,
    Tokens,
    TopP,
    Version,
)


class Trigger(StrEnum):
    """Why a completion was asked for."""

    TYPING = "typing"
    INVOKED = "invoked"  # the user pressed a key for it: several candidates, no waiting
    PREFETCH = "prefetch"  # nobody has asked yet: the place after a suggestion just accepted


class Extent(StrEnum):
    """How far a completion may go."""

    AUTO = "auto"  # a block where one begins: on a blank line, or with the cursor's; else a line
    LINE = "line"
    FITTING = "fitting"  # a line, and more of them where the code below cannot follow it
    BLOCK = "block"
    ALL = "all"  # until the model ends it or the token limit does


class GrammarMode(StrEnum):
    """What happens when the grammar refuses a token; ordered from faithful to quick. What each
    does to the distribution is told in `models/constrained/aligned_sampling.py`."""

    EXACT = "exact"
    ASAP = "asap"
    APPROXIMATE = "approximate"
    GCD = "gcd"
    OFF = "off"


class SpeculationMode(StrEnum):
    """Which drafters may be used. None changes what is completed, unless a search under a grammar
    runs out of time: then it has got further."""

    AUTO = "auto"  # whichever gains most
    DEL = "del"  # the model's own first layers, as published
    LOOKUP = "lookup"  # copies from the file
    RECYCLE = "recycle"  # what the model said before
    EXIT = "exit"  # the model's own first layers and a trained block
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Sampling:
    """`temperature=0` is greedy. `top_p=1` and `min_p=0` leave the distribution as it is.

    A token is kept when it is in the smallest set of most probable tokens that holds `top_p` of
    the mass (or equals one that is), and has at least `min_p` times the largest probability.
    Both are judged after temperature and before anything is removed, so their order is moot.
    """

    temperature: Temperature = 0.0
    top_p: TopP = 1.0
    min_p: Share = 0.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        assert self.temperature >= 0, self
        assert 0 < self.top_p <= 1, self
        assert 0 <= self.min_p <= 1, self


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """How much to complete, by when, and how to choose among what the model finds likely."""

    extent: Extent = Extent.AUTO
    max_tokens: Tokens = 96
    candidates: Candidates = 1
    deadline_ms: Milliseconds = 3_000
    decode_ms: Milliseconds | None = None  # also ends this long after the prompt has been read
    line_ms: Milliseconds | None = None  # this long after it, also ends with the line
    sampling: Sampling = field(default_factory=Sampling)
    grammar: GrammarMode = GrammarMode.EXACT
    speculation: SpeculationMode = SpeculationMode.AUTO


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Complete at `offset` of version `version` of a document that is open."""

    uri: str
    version: Version
    offset: Offset
    trigger: Trigger = Trigger.TYPING
    options: CompletionOptions = field(default_factory=CompletionOptions)
