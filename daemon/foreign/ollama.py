"""Ollama's `/api/generate` in raw mode: its `/v1/completions` puts a prompt into the model's chat
template, and says nothing of probabilities.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ...api.request import Sampling
from ..remote.errors import ServerAway, ServerRefuses
from .address import Address, template_of
from .api import ALTERNATIVES
from .http import CUT, Http
from .openai import drawn, some
from .piece import Piece, piece_of, pieces_of, text_of
from .text_prompt import TextPrompt

LATEST = ":latest"  # what a name without a tag means


class Ollama:
    """`api.Api`."""

    def __init__(self, address: Address, token: str | None) -> None:
        self._http = Http(address.url, token)
        self._model = address.model
        self._family = address.family
        if self._family or self._model:
            template_of(self._family or self._model)

    async def look(self) -> str:
        found = await self._http.get("/api/tags")
        try:
            names = [str(each["name"]) for each in found["models"]]
        except (TypeError, KeyError) as error:
            raise ServerRefuses("lists no models: look at the address") from error
        if self._model and not {self._model, self._model + LATEST} & {*names}:
            raise ServerRefuses(f"has no model {self._model!r:.80}, but {some(names)}")
        if not self._model and len(names) != 1:
            raise ServerRefuses(f"has {some(names)}: put #NAME behind the address")
        self._model = self._model or names[0]
        template_of(self._family or self._model)
        return self._model

    async def stream(
        self, prompt: TextPrompt, said: str, most_tokens: int, sampling: Sampling
    ) -> AsyncGenerator[Piece]:
        if not self._model:
            await self.look()
        template = template_of(self._family or self._model)
        marks = [mark for mark in (template.file, *template.ends) if mark]
        options: dict[str, Any] = {
            **drawn(sampling),
            "num_predict": most_tokens,
            "repeat_penalty": 1.0,
            "stop": marks,
        }
        body = {
            "model": self._model,
            "prompt": prompt.written(template, said),
            "raw": True,
            "truncate": False,
            "options": options,
            "logprobs": True,
            "top_logprobs": ALTERNATIVES,
        }
        is_over = False
        async with aclosing(self._http.events("/api/generate", body)) as found:
            async for event in found:
                for piece in _pieces(text_of(event.get("response")), event.get("logprobs") or []):
                    yield piece.before(marks)
                if event.get("done"):
                    is_over = True
                    if event.get("done_reason") == "stop":
                        yield Piece("", ended=True)
        if not is_over:
            raise ServerAway(CUT)

    async def close(self) -> None:
        await self._http.close()


def _pieces(text: str, known: list[dict[str, Any]]) -> list[Piece]:
    if len(known) == 1:
        return [piece_of(text, known[0])] if text else []
    each = [
        (
            str(one.get("token", "")),
            one.get("logprob"),
            {other.get("token"): other.get("logprob") for other in one.get("top_logprobs") or ()},
        )
        for one in known
    ]
    return pieces_of(text, each)
