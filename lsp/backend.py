"""What a session needs from whatever completes code, and the messages that cross that border.

Two things satisfy `Backend`: the client of the daemon's socket, and the engine thread itself when
everything runs in one process. All offsets are code points from the start of the document.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from .bounds import (
    Candidates,
    Count,
    Milliseconds,
    Offset,
    Seed,
    Share,
    Temperature,
    Tokens,
    TopP,
    Version,
)


class BackendError(Exception):
    """The request got no answer; `str(error)` is one line for the status bar."""


class Superseded(BackendError):
    """A newer request, or an edit, for the same document took this one's place."""


class Trigger(StrEnum):
    """Why a completion was asked for."""

    TYPING = "typing"
    INVOKED = "invoked"  # the user pressed a key for it: several candidates, no waiting
    PREFETCH = "prefetch"  # nobody has asked yet: the place after a suggestion just accepted


class Extent(StrEnum):
    """How far a suggestion may go."""

    AUTO = "auto"  # a block where one begins, else a line
    LINE = "line"
    BLOCK = "block"
    ALL = "all"  # until the model ends it or the token limit does


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace `[start, end)` by `text`."""

    start: Offset
    end: Offset
    text: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A whole document, as `Backend.open` takes it."""

    uri: str
    language: str
    version: Version
    text: str


class GrammarMode(StrEnum):
    """What to do where the grammar refuses what the model would write."""

    EXACT = "exact"
    ASAP = "asap"
    APPROXIMATE = "approximate"
    GCD = "gcd"
    OFF = "off"


class SpeculateMode(StrEnum):
    """Whose guesses may be verified several at once. None changes what is completed."""

    AUTO = "auto"  # whichever gains most
    DEL = "del"
    LOOKUP = "lookup"
    RECYCLE = "recycle"
    EXIT = "exit"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class CompletionOptions:
    """How much to suggest, by when, and how to choose among what the model finds likely."""

    extent: Extent = Extent.AUTO
    max_tokens: Tokens = 96
    candidates: Candidates = 1
    deadline_ms: Milliseconds = 3_000
    decode_ms: Milliseconds | None = None  # also ends this long after the prompt has been read
    temperature: Temperature = 0.0  # greedy
    top_p: TopP = 1.0
    min_p: Share = 0.0
    seed: Seed = 0
    grammar: GrammarMode = GrammarMode.EXACT
    speculate: SpeculateMode = SpeculateMode.AUTO


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """Complete at `offset` of version `version` of a document that is open."""

    uri: str
    version: Version
    offset: Offset
    trigger: Trigger = Trigger.TYPING
    options: CompletionOptions = field(default_factory=CompletionOptions)


@dataclass(frozen=True, slots=True)
class GrammarMeta:
    """What the grammar did for a completion."""

    mode: str = "off"  # the least faithful one used
    reason: str = ""  # why it was off, or what was left out
    skipped_lines: int = 0  # left of the cursor, unreadable
    refused: int = 0  # tokens and ends
    restarts: int = 0
    model_calls: int = 0
    bound: float = 1.0  # at most this share of the model's completions is grammatical
    took_ms: float = 0.0  # waited for the grammar


@dataclass(frozen=True, slots=True)
class SpeculationMeta:
    """What speculation did for a completion."""

    drafter: str = ""  # whose drafts were taken most; empty: none
    drafted: int = 0  # tokens
    accepted: int = 0  # of them
    passes: int = 0  # verifications: forward passes after the prompt's
    exit_layer: int | None = None  # of the last draft that used one
    own_ms: float = 0.0  # spent on guessing and on learning, not on verification
    drafting_ms: float = 0.0  # of it, by drafters that run parts of the model


@dataclass(frozen=True, slots=True)
class CacheMeta:
    """What a file's session did for a prompt, in tokens."""

    encoded: int
    carried: int  # kept behind a change that they have not seen
    repaired: int  # of the encoded: could have been carried
    stale_share: float  # of the prompt: not yet what a fresh prefill would give
    spans: tuple[tuple[int, int], ...]  # of the prompt: the tokens that were encoded


@dataclass(frozen=True, slots=True)
class CompletionMeta:
    """How a completion came to be."""

    model: str = ""
    device: str = ""
    stop: str = ""  # why it ended: eos, lines, tokens, deadline, …
    prompt_tokens: int = 0
    reused_tokens: int = 0  # of the prompt, taken from the cache as they were
    generated_tokens: int = 0  # for all candidates
    tokenise_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    total_ms: float = 0.0
    cache: CacheMeta | None = None  # None without a session
    grammar: GrammarMeta = field(default_factory=GrammarMeta)
    speculation: SpeculationMeta = field(default_factory=SpeculationMeta)


@dataclass(frozen=True, slots=True)
class Completion:
    """Replace `[start, end)` of the document by `text`; `start == end` is a plain insertion.

    Without text it is only the account of a search that found nothing.
    """

    text: str
    start: int
    end: int
    meta: CompletionMeta = field(default_factory=CompletionMeta)


class Outcome(StrEnum):
    """What became of a suggestion, learned from the edits that followed."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"  # a word or a line of it was accepted at once
    TYPED = "typed"  # typed through to its end by hand
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One suggestion's outcome; `characters` of it are now in the document."""

    uri: str
    outcome: Outcome
    characters: Count


@dataclass(frozen=True, slots=True)
class Refresh:
    """Bring the cache of one document (of all, if empty) up to date now."""

    uri: str = ""


@dataclass(frozen=True, slots=True)
class UseModel:
    """Load this model in place of the present one; an empty name means the next one known."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """Ask for everything that `keyturn daemon status` shows."""


Control = Feedback | Refresh | UseModel | StatusQuery


class Phase(StrEnum):
    """What the backend is doing, as far as a status bar cares."""

    STARTING = "starting"  # no daemon yet
    LOADING = "loading"
    DOWNLOADING = "downloading"
    READY = "ready"
    ASLEEP = "asleep"  # the model was freed after a while without use; a request wakes it
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BackendState:
    """Sent whenever it changes. `fraction` is how much of a load or download is done."""

    phase: Phase
    message: str = ""
    model: str = ""
    fraction: float | None = None


class Backend(Protocol):
    """Calls that return nothing take effect in the order they were made, and never wait."""

    def open(self, document: OpenDocument) -> None: ...

    def edit(self, uri: str, version: int, edits: tuple[TextEdit, ...]) -> None: ...

    def close(self, uri: str) -> None: ...

    async def complete(self, request: CompletionRequest) -> list[Completion]:
        """Best first; empty when there is nothing to suggest.

        Cancelling the task stops the work. Raises `Superseded` when something newer took its
        place, `BackendError` when no answer will come.
        """
        ...

    async def control(self, command: Control) -> dict[str, Any]:
        """Carry out `command`; the answer is plain data. Raises `BackendError`."""
        ...
