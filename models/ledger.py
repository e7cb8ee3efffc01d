"""What one arm of speculation has done, and what it cost."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Spent:
    """On guessing, beside the verification, in so many rounds."""

    rounds: int = 0
    control_ms: float = 0.0  # choosing, looking up, learning, shadow analysis
    drafting_ms: float = 0.0  # by drafters that run parts of the model

    @property
    def ms(self) -> float:
        return self.control_ms + self.drafting_ms

    def add(self, control_ms: float, drafting_ms: float) -> None:
        """One round."""
        self.rounds += 1
        self.control_ms += control_ms
        self.drafting_ms += drafting_ms


@dataclass(slots=True)
class Ledger:
    """The rounds of one arm, and what plain decoding would have taken for the same tokens."""

    drafted: int = 0
    accepted: int = 0
    by_exit: dict[int, tuple[int, int]] = field(default_factory=dict)  # drafted, accepted
    forward_ms: float = 0.0  # of verification
    plain_ms: float = 0.0
    spent: Spent = field(default_factory=Spent)
    vain: Spent = field(default_factory=Spent)  # of it, where nothing was accepted

    @property
    def gain(self) -> float | None:
        took_ms = self.forward_ms + self.spent.ms
        return self.plain_ms / took_ms if took_ms else None

    def add(self, drafted: int, accepted: int, exit_layer: int | None) -> None:
        """What came of a round."""
        self.drafted += drafted
        self.accepted += accepted
        if exit_layer is not None and drafted:
            before = self.by_exit.get(exit_layer, (0, 0))
            self.by_exit[exit_layer] = before[0] + drafted, before[1] + accepted

    def took(
        self, forward_ms: float, plain_ms: float, control_ms: float, drafting_ms: float, vain: bool
    ) -> None:
        """How long it was, and plain decoding would have been. `vain`: nothing was accepted."""
        self.forward_ms += forward_ms
        self.plain_ms += plain_ms
        for spent in (self.spent, self.vain) if vain else (self.spent,):
            spent.add(control_ms, drafting_ms)
