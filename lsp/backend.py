"""The backend: what a session needs from whatever completes code, and the messages that cross that
border.

Two things satisfy `Backend`: the client of the daemon's socket, and the engine thread itself when
everything runs in one process. All offsets are code points from the start of the document.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from ..api.bounds import Count, Offset, Share, Version
from ..api.report import Completion
from ..api.request import CompletionRequest


class BackendError(Exception):
    """The request got no answer; `str(error)` is one line for the status bar."""


class Superseded(BackendError):
    """A newer request, or an edit, for the same document took this one's place."""


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace `[start, end)` by `text`."""

    start: Offset
    end: Offset
    text: str

    def apply(self, text: str) -> str:
        return text[: self.start] + self.text + text[self.end :]


@dataclass(frozen=True, slots=True)
class ProjectRules:
    """What an editor allows of the project that a document is in, beside the project's own
    settings."""

    is_read: bool = True  # whether its other files may be read and shown
    disabled_globs: tuple[str, ...] = ()  # that no file may match which is read or shown


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A whole document, as `Backend.open` takes it; again to change all but the URI."""

    uri: str
    language: str
    version: Version
    text: str
    project: ProjectRules = ProjectRules()


class Outcome(StrEnum):
    """What became of a suggestion, learned from the edits that followed."""

    ACCEPTED = "accepted"
    PARTIAL = "partial"  # a word or a line of it was accepted at once
    TYPED = "typed"  # typed through to its end by hand
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One suggestion's outcome; `characters` of it are now in the document. One that was held back
    and not `shown` has one, too: it may have been typed."""

    uri: str
    outcome: Outcome
    characters: Count
    shown: bool = True
    likely: Share | None = None  # that its first line is right, as was estimated, uncorrected
    right: bool | None = None  # whether its first line is in the document now; None: not known yet


@dataclass(frozen=True, slots=True)
class RefusedEdit:
    """A change that the user did not want."""

    why: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class NextEditQuery:
    """Ask for the change that the user may want to make next, the nearest to `offset` in version
    `version` of a document: a `ProposedEdit` as plain data under `edit`, or nothing. None that was
    `refused`."""

    uri: str
    version: Version
    offset: Offset
    refused: tuple[RefusedEdit, ...] = ()


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


Control = Feedback | NextEditQuery | Refresh | UseModel | StatusQuery


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
