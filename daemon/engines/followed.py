"""What is known of one open file and its project."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from ...api.report import ProjectUse
from ...lsp.options import matching
from ..completion.bound_chunks import BoundChunk
from ..project.retrieval.chunk import Chunk
from .wanted import Wanted


@dataclass(slots=True)
class Followed:
    """What is known of one open file."""

    root: Path | None  # of its project
    globs: tuple[str, ...] | None = ()  # that nothing it shows may match; None: it shows nothing
    seen: tuple[Any, ...] = ()  # of what `wanted` was chosen
    offered: tuple[Chunk, ...] = ()  # by the project, the most relevant first
    wanted: tuple[Wanted, ...] = ()  # of these, as many as there is room for
    ready: tuple[BoundChunk, ...] = ()  # for a session that there is not yet
    use: ProjectUse = field(default_factory=lambda: ProjectUse(settled=False))
    looks: int = 0  # at the project
    is_placed: bool = False  # whether `wanted` was chosen for a cursor, or only for the file

    def may_show(self, path: str) -> bool:
        """Whether something from this file of the project may be shown."""
        if self.root is None or self.globs is None:
            return False
        return matching(self.root / path, self.globs) is None

    def allowed(self, chunks: Sequence[BoundChunk]) -> tuple[BoundChunk, ...]:
        """Those before the first that may not be shown: what stands behind it has seen it."""
        return tuple(takewhile(lambda each: self.may_show(each.use.path), chunks))
