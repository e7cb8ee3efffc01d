"""llama.cpp's `/infill`, which knows its model's marks."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ...api.request import Sampling
from ..remote.errors import ServerAway
from .address import Address
from .api import ALTERNATIVES
from .http import CUT, Http
from .openai import drawn
from .piece import Piece, piece_of, text_of
from .text_prompt import TextPrompt


class LlamaCpp:
    """`api.Api`."""

    def __init__(self, address: Address, token: str | None) -> None:
        self._http = Http(address.url, token)

    async def look(self) -> str:
        found = await self._http.get("/props")
        path = str(found.get("model_path") or found.get("model_alias") or "llama.cpp")
        return path.replace("\\", "/").rpartition("/")[2]

    async def stream(
        self, prompt: TextPrompt, said: str, most_tokens: int, sampling: Sampling
    ) -> AsyncGenerator[Piece]:
        body = {
            "input_prefix": prompt.prefix,
            "input_suffix": prompt.suffix,
            "prompt": said,
            "n_predict": most_tokens,
            **drawn(sampling),
            "stream": True,
            "cache_prompt": True,
            "n_probs": ALTERNATIVES,
        }
        is_over = False
        async with aclosing(self._http.events("/infill", body)) as found:
            async for event in found:
                probabilities = event.get("completion_probabilities") or [{}]
                yield piece_of(text_of(event.get("content")), probabilities[0])
                if event.get("stop"):
                    is_over = True
                    if event.get("stop_type") in ("eos", "word"):
                        yield Piece("", ended=True)
        if not is_over:
            raise ServerAway(CUT)

    async def close(self) -> None:
        await self._http.close()
