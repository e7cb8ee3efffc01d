"""One open file, as a proposer needs it."""

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import PurePath

from ..file_text import FileText
from ..workspace.language import language_of
from .syntax.source import MOST_CHARACTERS, Source


@dataclass(frozen=True, slots=True)
class OpenText:
    """`said` is the language that the editor says; `path` may be empty; `scheme` says of what."""

    key: Hashable
    said: str
    path: str
    text: FileText
    scheme: str = "file"

    @property
    def language(self) -> str:
        """What it is read as: what the editor says, or else what its path ends with."""
        return self.said if Source.knows(self.said) else language_of(self.path).id

    @property
    def is_readable(self) -> bool:
        return Source.knows(self.language) and not self.is_too_long

    @property
    def is_too_long(self) -> bool:
        return len(self.text.text) > MOST_CHARACTERS

    @property
    def name(self) -> str:
        return PurePath(self.path).name

    @property
    def posix_path(self) -> str:
        """From the root of all files, without the slash at its beginning."""
        return PurePath(self.path).as_posix().lstrip("/")
