"""What one open file is shown of its project."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from ...api.chunk import Chunk
from ...api.report import ProjectUse
from ..completion.bound_chunks import BoundChunk
from .choice import Rules
from .wanted import Wanted


@dataclass(slots=True)
class Followed:
    """Of one open file."""

    rules: Rules | None = None  # None: it is shown nothing
    offered: tuple[Chunk, ...] = ()  # by the project, the most relevant first
    wanted: tuple[Wanted, ...] = ()  # of these, as many as there is room for
    ready: tuple[BoundChunk, ...] = ()  # for a session that there is not yet
    use: ProjectUse = field(default_factory=lambda: ProjectUse(settled=False))
    looks: int = 0  # at the project
    is_placed: bool = False  # whether `wanted` was chosen for a cursor, or only for the file

    def allowed(self, chunks: Sequence[BoundChunk]) -> tuple[BoundChunk, ...]:
        """Those before the first that may not be shown: what stands behind it has seen it."""
        rules = self.rules
        if rules is None:
            return ()
        return tuple(takewhile(lambda each: rules.may_show(each.use.path), chunks))
