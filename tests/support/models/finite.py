"""The oracle of a language given as a list of its texts: small, obvious, and made for tests."""

from dataclasses import dataclass

from keyturn.models.grammar.oracle import Opening, Unconstrained, reach


@dataclass(frozen=True)
class FiniteState:
    """After `text`, with the texts of the language to compare it with."""

    texts: frozenset[bytes]
    text: bytes

    def feed(self, data: bytes) -> "FiniteState | None":
        """The state after `data`, if a text of the language goes on like that."""
        longer = self.text + data
        if any(text.startswith(longer) for text in self.texts):
            return FiniteState(self.texts, longer)
        return None

    def can_finish(self) -> bool:
        """Whether this is a text of the language."""
        return self.text in self.texts

    def reach(self, pieces: tuple[str, ...], finish: bool) -> int:
        """How many of the text's next pieces can be read; one more if it may end there."""
        return reach(self, pieces, finish)


@dataclass(frozen=True)
class FiniteOracle:
    """Allows the beginnings of the given texts."""

    texts: frozenset[bytes]

    def open(self, left: str) -> Opening:
        """The state after `left`; unconstrained if no text begins like that."""
        state = FiniteState(self.texts, b"").feed(left.encode())
        if state is None:
            reason = "no text of the language begins like this"
            return Opening(Unconstrained(reason), False, reason)
        return Opening(state, True)
