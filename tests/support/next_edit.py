"""A text edited as a user would, and what is proposed then."""

from collections.abc import Collection

from keyturn.daemon.next_edit.proposal import Proposal, Refused
from keyturn.daemon.next_edit.proposals import next_edit, proposals
from keyturn.daemon.next_edit.recent_edits import RecentEdits
from keyturn.daemon.next_edit.syntax.source import Source
from keyturn.daemon.project.reading.syntax import Stopwatch

GREETING = '''"""A greeting."""

import sys


def greet(name, greeting="Hello"):
    """Say hello to somebody."""
    message = f"{greeting}, {name}!"
    if name == "world":
        message = message.upper()
    print(message)
    return name


def main():
    for name in sys.argv[1:]:
        greet(name)
    print("done")


if __name__ == "__main__":
    main()
'''


class Edited:
    """Owns the text."""

    def __init__(self, text: str, language: str = "python") -> None:
        self.text = text
        self.language = language
        self.recent = RecentEdits()
        self._cursor = 0

    def replace(self, old: str, new: str, count: int = 0) -> "Edited":
        """The place of `old` with this number becomes `new`."""
        start = -1
        for _ in range(count + 1):
            start = self.text.index(old, start + 1)
        return self.edit(start, start + len(old), new)

    def edit(self, start: int, stop: int, new: str) -> "Edited":
        self.recent.saw(self.text, start, stop, new)
        self.text = self.text[:start] + new + self.text[stop:]
        self._cursor = start + len(new)
        return self

    def source(self) -> Source:
        return Source(self.language, self.text, Stopwatch(lambda: None, 10))

    def all(self) -> list[Proposal]:
        return proposals(self.source(), list(self.recent), self._cursor)

    def next(self, refused: Collection[Refused] = ()) -> Proposal | None:
        return next_edit(self.source(), list(self.recent), self._cursor, refused)

    def follow(self) -> str:
        """Take every proposal until there is none."""
        for _ in range(50):
            found = self.next()
            if found is None:
                return self.text
            self.edit(found.start, found.stop, found.new)
        raise AssertionError("they do not end")
