"""A streamed text: it comes in pieces, perhaps more than once, and is passed on once."""

from collections.abc import Callable

from ...cache.errors import KeyturnError

OTHER = "the daemon was lost, and what took its place says something else: ask again"


class OtherText(KeyturnError):
    """Another attempt gave another text than what is passed on already."""


class Streamed:
    """Owns what has been passed on."""

    def __init__(self, write: Callable[[str], None] | None) -> None:
        self._write = write
        self._text = ""  # of this attempt
        self._sent = ""
        self._again = False  # something was passed on before this attempt

    @property
    def wanted(self) -> bool:
        return self._write is not None

    def begin(self) -> None:
        """Another attempt at the same text."""
        self._text, self._again = "", bool(self._sent)

    def add(self, piece: str) -> None:
        """Raises `OtherText`."""
        self._text += piece
        if self._write is None:
            return
        if self._again and not self._text.startswith(self._sent[: len(self._text)]):
            raise OtherText(OTHER)
        if len(self._text) > len(self._sent):
            self._write(self._text[len(self._sent) :])
            self._sent = self._text

    def end(self, text: str) -> None:
        """All of it is `text`. Raises `OtherText`."""
        if not text.startswith(self._text) or not text.startswith(self._sent):
            raise OtherText(OTHER)
        self.add(text[len(self._text) :])
