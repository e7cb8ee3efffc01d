"""What completes code, as the engine thread knows it, and the files that it is given."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...api.chunk import Chunk
from ...api.report import Completion
from ...lsp.backend import BackendState, ProjectRules
from ..file_text import Edited, FileText
from ..next_edit.model import NextEditModel
from .jobs import Complete, FileKey

Report = Callable[[BackendState], None]


@dataclass(frozen=True, slots=True)
class File:
    """One open file as it stands."""

    key: FileKey
    language: str
    version: int
    text: FileText
    project: ProjectRules = field(default_factory=ProjectRules)
    chunks: tuple[Chunk, ...] = ()  # of the project, where somebody else has chosen them


class Engine(Protocol):
    """What completes code. Called in the engine thread only."""

    name: str
    next_edit_model: NextEditModel | None  # beside it, if one is configured; the thread closes it

    def edit(self, before: File, edits: Sequence[Edited]) -> None:
        """An open file was edited, which was `before`: once for each edit, in their order."""
        ...

    def complete(self, file: File, job: Complete) -> list[Completion]:
        """What fits at the request's offset. Past the job's deadline with what there is; once it
        is cancelled with anything, soon: it is thrown away. Its `stream` may be given the first
        one's text in pieces; its `reply` is the thread's to call."""
        ...

    def refresh(self, key: FileKey | None, interrupted: Callable[[], bool]) -> None:
        """Idle work: what loading left for later, then bring what is cached of a file, if one is
        given, up to date, open or not; as far as it gets until `interrupted()`, which is to be
        looked at after every small step."""
        ...

    def prepare(self, key: FileKey, interrupted: Callable[[], bool]) -> bool:
        """Work for the next completions in an open file that may take longer steps, as far as it
        gets until `interrupted()`. Whether there may be more to do before long."""
        ...

    def forget(self, key: FileKey) -> None:
        """The file was closed."""
        ...

    def status(self) -> dict[str, Any]:
        """Device, kernels, bytes, cached files: plain data for `daemon status`."""
        ...

    def close(self) -> None:
        """Give all memory back; nothing is called afterwards."""
        ...


OpenFiles = Callable[[], Collection[File]]  # as they are now; for the engine, in its thread
# From a model's name ("" is the configured one), where to report progress, and what is open.
MakeEngine = Callable[[str, Report, OpenFiles], Engine]
