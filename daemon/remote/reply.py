"""A server's answer."""

from dataclasses import dataclass

from ...api.report import Completion


@dataclass(frozen=True, slots=True)
class Reply:
    """And the replica that gave it, if it has a name."""

    completions: tuple[Completion, ...]  # best first
    replica: str
