"""A text that comes in pieces, perhaps more than once, and is passed on once."""

from collections.abc import Callable


class Streamed:
    """Owns how much has been passed on."""

    def __init__(self, write: Callable[[str], None] | None) -> None:
        self._write = write
        self._text = ""  # of this attempt
        self._sent = 0  # characters passed on

    @property
    def wanted(self) -> bool:
        return self._write is not None

    def begin(self) -> None:
        """Another attempt at the same text."""
        self._text = ""

    def add(self, piece: str) -> None:
        self._text += piece
        if self._write is not None and len(self._text) > self._sent:
            self._write(self._text[self._sent :])
            self._sent = len(self._text)

    def end(self, text: str) -> None:
        """All of it is `text`."""
        self.add(text[len(self._text) :])
