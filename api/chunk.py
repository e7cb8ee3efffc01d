"""A chunk: a piece of one of the project's other files, as a model is shown it."""

from dataclasses import dataclass

from .bounds import Count
from .report import ChunkUse


@dataclass(frozen=True, slots=True)
class Chunk:
    """A definition, or an excerpt that is like what is being written: that has no name. `text`
    begins with its path as a comment and ends with an empty line."""

    path: str  # in the project
    line: Count  # from 0
    name: str
    text: str

    @property
    def use(self) -> ChunkUse:
        return ChunkUse(self.path, self.line + 1, self.name)
