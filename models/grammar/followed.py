"""The texts that the grammar's worker has, file by file, and what it still has to be told."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Followed:
    """How much of one file's text the worker has. Told of every edit of it, so that nothing needs
    to be kept here, or compared."""

    start: int = 0  # of the part that the worker has, in characters
    unchanged: int = 0  # up to here, the text is as it was when that was sent

    @property
    def key(self) -> str:
        """The file's name in the worker: another session of the same file may have other text."""
        return f"followed {id(self)}"

    def edited(self, start: int) -> None:
        """The first character that is another now."""
        self.unchanged = min(self.unchanged, start)

    def known(self, start: int) -> int:
        """How many characters from `start` on the worker has, if the part begins there."""
        return max(0, self.unchanged - start) if start == self.start else 0

    def sent(self, start: int, stop: int) -> None:
        """The worker has this part now."""
        self.start, self.unchanged = start, stop
