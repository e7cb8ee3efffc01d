"""What a replica answers a request with: an HTTP status, a body and its headers."""

import json
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Answer:
    """From a replica to the ingress, between processes."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def failed(status: int, message: str, **headers: str) -> Answer:
    """Why there is no better answer, in one line for a person."""
    body = json.dumps({"error": message}).encode()
    return Answer(status, body, {"content-type": "application/json", **headers})
