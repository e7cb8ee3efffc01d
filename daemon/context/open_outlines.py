"""The outlines of open files: of each the newest text's, read once, in idle time."""

from collections.abc import Callable

from ..project.outline import Outline
from ..project.reading.reader import outline
from ..server.engine import File
from ..server.jobs import FileKey
from .choice import NeededElsewhere

MOST_CHARACTERS = 200_000  # of a file that is read


class OpenOutlines:
    """Owns one for each file that was asked about, until that is forgotten."""

    def __init__(self) -> None:
        self._known: dict[FileKey, tuple[str, Outline]] = {}  # of which text

    def of(self, file: File, path: str, interrupted: Callable[[], bool]) -> Outline:
        """A file's, which is at `path` in its project. Raises `NeededElsewhere` once
        `interrupted()`."""

        def pause() -> None:
            if interrupted():
                raise NeededElsewhere

        text = file.text.text
        known = self._known.get(file.key)
        if known is None or known[0] is not text:
            read = text if len(text) <= MOST_CHARACTERS else ""
            known = self._known[file.key] = (text, outline(path, file.language, read, pause))
        return known[1]

    def forget(self, key: FileKey) -> None:
        self._known.pop(key, None)
