"""A completion, and how it came to be: what the cache, the grammar and speculation did for it."""

from dataclasses import dataclass, field
from enum import StrEnum

from .confidence import Confidence
from .request import GrammarMode


class Finish(StrEnum):
    """Why a completion ended."""

    EOS = "eos"  # the model ended it
    LINES = "lines"  # its line or block was over
    TOKENS = "tokens"  # the token limit
    DEADLINE = "deadline"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class GrammarUse:
    """What the grammar did for a completion."""

    mode: GrammarMode = GrammarMode.OFF  # the least faithful one used; off: nothing constrained
    reason: str = ""  # why it is off, or what was left out
    skipped_lines: int = 0  # left of the cursor, unreadable
    refused: int = 0  # tokens and ends
    restarts: int = 0
    model_calls: int = 0  # forward passes
    bound: float = 1.0  # at most this share of the model's completions is grammatical
    took_ms: float = 0.0  # waited for the grammar


@dataclass(frozen=True, slots=True)
class SpeculationUse:
    """What speculation did for a completion."""

    drafter: str = ""  # whose drafts were taken most; empty: none
    drafted: int = 0  # tokens
    accepted: int = 0  # of them
    passes: int = 0  # verifications: forward passes after the prompt's
    exit_layer: int | None = None  # of the last draft that used one
    own_ms: float = 0.0  # spent on guessing and on learning, not on verification
    drafting_ms: float = 0.0  # of it, by drafters that run parts of the model


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a file's session did for a prompt, in tokens."""

    encoded: int
    carried: int  # kept behind a change that they have not seen
    repaired: int  # of the encoded: could have been carried
    stale_share: float  # of the prompt: not yet what a fresh prefill would give
    spans: tuple[tuple[int, int], ...]  # of the prompt: the tokens that were encoded


@dataclass(frozen=True, slots=True)
class ChunkUse:
    """A piece of another file that the model was shown: a definition, or else an excerpt that is
    like what is being written, which has no name."""

    path: str  # in the project
    line: int  # from 1
    name: str

    @property
    def words(self) -> str:
        """Where it is and what, for a person."""
        return f"{self.path}:{self.line} {self.name or '(code like this)'}"


@dataclass(frozen=True, slots=True)
class ProjectUse:
    """What the model was shown of the project's other files, for a prompt."""

    chunks: tuple[ChunkUse, ...] = ()  # the most relevant first
    tokens: int = 0  # of them all
    missing: int = 0  # chunks that would have been shown, had they been encoded already
    bind_ms: float = 0.0  # what putting them there took, in idle time
    settled: bool = True  # False: there may be more to show in a moment


@dataclass(frozen=True, slots=True)
class CompletionMeta:
    """How a completion came to be."""

    model: str = ""
    device: str = ""
    finish: Finish | None = None  # of the best candidate, or what cut the request short
    prompt_tokens: int = 0
    reused_tokens: int = 0  # of the prompt, found in the cache
    generated_tokens: int = 0  # for all candidates, also for those not worth showing
    tokenise_ms: float = 0.0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0
    total_ms: float = 0.0
    cache: CacheUse | None = None  # None without a session
    project: ProjectUse | None = None  # None where it is not looked at
    grammar: GrammarUse = field(default_factory=GrammarUse)
    speculation: SpeculationUse = field(default_factory=SpeculationUse)


@dataclass(frozen=True, slots=True)
class Completion:
    """Replace `[start, end)` of the document by `text`; `start == end` is a plain insertion.

    Without text it is only the account of a search that found nothing. `confidence` is None where
    nobody can say.
    """

    text: str
    start: int
    end: int
    meta: CompletionMeta = field(default_factory=CompletionMeta)
    confidence: Confidence | None = None
