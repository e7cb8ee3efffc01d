"""Jobs, from the event loop to the engine thread: frozen, dispatched by one `match`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from ...api.chunk import Chunk
from ...api.report import Completion
from ...api.request import CompletionRequest
from ...lsp.backend import NextEditQuery, OpenDocument, ProjectRules, TextEdit


@dataclass(frozen=True, slots=True)
class FileKey:
    """One client's view of one file: two windows may have the same file open, edited apart. Where
    an engine has several users, they take turns."""

    client: int
    uri: str
    user: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """Also of a file that is open: this is what it is now."""

    file: FileKey
    language: str
    version: int
    text: str
    project: ProjectRules = field(default_factory=ProjectRules)

    @classmethod
    def of(cls, client: int, document: OpenDocument) -> "Open":
        key = FileKey(client, document.uri)
        return cls(key, document.language, document.version, document.text, document.project)


@dataclass(frozen=True, slots=True)
class Edit:
    file: FileKey
    version: int
    edits: tuple[TextEdit, ...]


@dataclass(frozen=True, slots=True)
class Surround:
    """What an open file is to be shown of its project, in place of what was said before."""

    file: FileKey
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, slots=True)
class Close:
    file: FileKey


@dataclass(frozen=True, slots=True)
class Reply:
    """How a `Complete` ended. Exactly one of the three is set, `completions` possibly empty."""

    completions: tuple[Completion, ...] | None = None
    cancelled: bool = False
    unknown: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Complete:
    """`cancelled` is looked at between steps. `reply` may be called from any thread, and more than
    once, if something newer takes a running job's place: the first one counts. `stream` is called
    before it with every piece of the first candidate's text that is certain."""

    file: FileKey
    request: CompletionRequest
    deadline: float  # time.monotonic()
    reply: Callable[[Reply], None]
    stream: Callable[[str], None] | None = None
    cancelled: Event = field(default_factory=Event)


@dataclass(frozen=True, slots=True, eq=False)
class NextEdit:
    """Look for the change that a file's user may want to make next. `reply` is called once, with
    plain data: nothing in it where there is none, or the file has changed meanwhile."""

    file: FileKey
    query: NextEditQuery
    reply: Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Refresh:
    """Bring a file's cache (every file's, if None) up to date as soon as nothing else is due."""

    file: FileKey | None = None


@dataclass(frozen=True, slots=True)
class Prepare:
    """Look at the project around an open file for what its completions should see, once nothing was
    typed or asked for a moment, and `after_seconds` from now. Opening, editing and completing a
    file make this due by themselves."""

    file: FileKey
    after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model in place of the present one; empty: the configured one, again."""

    name: str


@dataclass(frozen=True, slots=True)
class Free:
    """Give the model's memory back until the next completion."""


@dataclass(frozen=True, slots=True)
class Inspect:
    """Ask the engine thread about itself."""

    reply: Callable[[dict[str, Any]], None]
    digest_of: FileKey | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """End the thread after what it is doing."""


Job = (
    Open
    | Edit
    | Surround
    | Close
    | Complete
    | NextEdit
    | Refresh
    | Prepare
    | Load
    | Free
    | Inspect
    | Stop
)
