"""Ranges of the numbers that may come from outside, checked where a message is read.

As wide as anything sensible, and far from where sums, times and sizes overflow.
"""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Range:
    """From `least` to `most`, both included. What is not a number is in none."""

    least: float
    most: float

    def __contains__(self, value: float) -> bool:
        return self.least <= value <= self.most

    def __str__(self) -> str:
        return f"from {self.least:,} to {self.most:,}"


MOST_DAYS = 7
MOST_COUNT = 2**31 - 1

Count = Annotated[int, Range(0, MOST_COUNT)]
Offset = Annotated[int, Range(0, MOST_COUNT)]  # in code points
Version = Annotated[int, Range(-(2**31), 2**31 - 1)]  # an LSP integer
Number = Annotated[int, Range(0, 2**53)]  # of a request, a process, a protocol
Tokens = Annotated[int, Range(1, 1_000_000)]
Candidates = Annotated[int, Range(1, 32)]
Milliseconds = Annotated[int, Range(0, MOST_DAYS * 24 * 3600 * 1000)]
Seconds = Annotated[float, Range(1e-6, MOST_DAYS * 24 * 3600)]
Seed = Annotated[int, Range(-(2**63), 2**63 - 1)]
Temperature = Annotated[float, Range(0, 100)]
TopP = Annotated[float, Range(1e-6, 1)]
Share = Annotated[float, Range(0, 1)]
Slope = Annotated[float, Range(0.1, 10)]  # of a correction
Shift = Annotated[float, Range(-10, 10)]
