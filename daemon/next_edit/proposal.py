"""A change that somebody may want to make next."""

from dataclasses import dataclass

BY_RULE = 0.99  # measured: docs/benchmarks.md
Refused = tuple[str, str, str]  # by what rule, what stands there, what would


@dataclass(frozen=True, slots=True)
class Proposal:
    """Put `new` in place of `old`, the characters `start .. stop` of a text; `why`, for a person;
    `confidence`, that it is what they would do."""

    start: int
    stop: int
    old: str
    new: str
    why: str
    confidence: float = BY_RULE

    @property
    def refusal(self) -> Refused:
        """What is not proposed again, there or elsewhere, to whom it was and who did not want
        it."""
        return self.why, self.old, self.new
