"""What is appended on trial to a sequence: speculation, candidates, completions."""

from dataclasses import dataclass


@dataclass(slots=True)
class Draft:
    """Tokens appended on trial; all but the first `kept` of the sequence go when it ends."""

    kept: int

    def keep(self, length: int) -> None:
        """Let the sequence be `length` tokens long afterwards."""
        self.kept = length
