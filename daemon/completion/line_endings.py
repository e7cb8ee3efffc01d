"""The text around the cursor as a model sees it, and a completion as the file wants it.

Models were trained on text whose lines end in a line feed and that has no byte order mark; a file
gets the line ends that it has.
"""

from dataclasses import dataclass

from ..cursor import BYTE_ORDER_MARK


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Text near the cursor with line feeds only; `newline` is what ends lines in the file."""

    prefix: str
    suffix: str
    newline: str

    @classmethod
    def of(cls, prefix: str, suffix: str, characters: int) -> "Surroundings":
        """At most `characters` on either side. The line end nearest to the cursor decides."""
        prefix = prefix[max(0, len(prefix) - characters) :].removeprefix(BYTE_ORDER_MARK)
        suffix = suffix[:characters]
        if "\n" in prefix:
            crlf = prefix.rpartition("\n")[0].endswith("\r")
        else:
            crlf = "\n" in suffix and suffix.partition("\n")[0].endswith("\r")
        newline = "\r\n" if crlf else "\n"
        return cls(prefix.replace("\r\n", "\n"), suffix.replace("\r\n", "\n"), newline)

    def restored(self, text: str) -> str:
        """Generated text with the file's line ends."""
        return text.replace("\n", self.newline)
