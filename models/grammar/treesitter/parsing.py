"""The state of a tree-sitter driven oracle: versions of the parse and the undecided tail."""

import codecs
from dataclasses import dataclass

from ..oracle import State, Unconstrained, reach
from .automaton import Automaton, TooAmbiguous, Version

# A long undecided token (a comment, a raw string) is read again from its start at every step. Past
# this size we look again only when the tail has grown by an eighth: the total stays linear-ish, an
# error is seen a little later, and seeing it later is no mistake.
EAGER_TAIL = 1_024
MAX_TAIL = 200_000  # characters; an undecided token beyond this is not followed
LAZINESS = 8


@dataclass(frozen=True, slots=True)
class ParseState:
    """After some text. Offsets in `versions` count from the start of `tail`."""

    automaton: Automaton
    versions: tuple[Version, ...]
    tail: str  # from the least advanced version's last decided token on
    column: int  # of the tail's first character, in code points
    unread: int  # characters at the tail's end that the automaton has not looked at
    partial: bytes  # the beginning of a character, at most three bytes

    @classmethod
    def start(cls, automaton: Automaton) -> "ParseState":
        """Before the first character of a file."""
        return cls(automaton, automaton.start(), "", 0, 0, b"")

    def feed(self, data: bytes) -> State | None:
        """The state after `data`; None if no program continues like that."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        raw = self.partial + data
        try:
            text = decoder.decode(raw)
        except UnicodeDecodeError:
            return None
        partial = decoder.getstate()[0]
        if not text:
            return ParseState(
                self.automaton, self.versions, self.tail, self.column, self.unread, partial
            )
        return self.read(text, partial)

    def read(self, text: str, partial: bytes = b"") -> State | None:
        """The state after more characters."""
        tail = self.tail + text
        unread = self.unread + len(text)
        if len(tail) > MAX_TAIL:
            return Unconstrained(f"one token is longer than {MAX_TAIL:,} characters")
        if len(tail) > EAGER_TAIL and unread * LAZINESS < len(tail):
            return ParseState(self.automaton, self.versions, tail, self.column, unread, partial)
        return self._look(tail, partial)

    def settled(self) -> State | None:
        """The same with all of the text looked at; None if no program goes on like that."""
        return self._look(self.tail, self.partial) if self.unread else self

    def can_finish(self) -> bool:
        """Whether the file may end here, with or without a last line break, which some grammars
        want behind a directive and files often lack."""
        if self.partial:
            return False
        try:
            return any(
                self.automaton.accepts(self.versions, self.tail + end, self.column)
                for end in ("", "\n")
            )
        except TooAmbiguous:
            return True

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """How many of the text's next pieces can be read; one more if it may end there."""
        return reach(self, pieces, finish)

    def same(self, other: "ParseState") -> bool:
        """Whether both go on in the same way whatever follows."""
        return (
            (self.tail, self.column, self.partial) == (other.tail, other.column, other.partial)
            and len(self.versions) == len(other.versions)
            and all(
                mine[1:] == theirs[1:] and mine.stack.same(theirs.stack)
                for mine, theirs in zip(self.versions, other.versions, strict=True)
            )
        )

    def _look(self, tail: str, partial: bytes) -> State | None:
        try:
            versions = self.automaton.advance(self.versions, tail, self.column)
        except TooAmbiguous as error:
            return Unconstrained(str(error))
        if not versions:
            return None
        return self._from_first_undecided(versions, tail, partial)

    def _from_first_undecided(
        self, versions: tuple[Version, ...], tail: str, partial: bytes
    ) -> "ParseState":
        cut = min(version.at for version in versions)
        if cut:
            versions = tuple(version._replace(at=version.at - cut) for version in versions)
        newline = tail.rfind("\n", 0, cut)
        column = cut - newline - 1 if newline >= 0 else self.column + cut
        return ParseState(self.automaton, versions, tail[cut:], column, 0, partial)
