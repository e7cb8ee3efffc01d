"""The ways to ask a server that is not ours: what they have in common."""

from collections.abc import AsyncGenerator
from typing import Protocol

from ...api.request import Sampling
from .piece import Piece
from .text_prompt import TextPrompt

ALTERNATIVES = 5  # tokens that a server is asked to name beside each


class Api(Protocol):
    """A server's."""

    async def look(self) -> str:
        """The name of the model that answers. Raises `ServerError`, as all of these."""
        ...

    def stream(
        self, prompt: TextPrompt, said: str, most_tokens: int, sampling: Sampling
    ) -> AsyncGenerator[Piece]:
        """What comes between the texts, behind what is `said` of it already. Closing it ends the
        work there. An answer that ends without a reason was cut off, which is `ServerAway`."""
        ...

    async def close(self) -> None: ...
