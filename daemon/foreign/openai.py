"""OpenAI's `/v1/completions`, as vLLM, SGLang, llama.cpp and others have it, with our prompts."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from itertools import zip_longest
from typing import Any

from ...api.request import Sampling
from ..remote.errors import ServerAway, ServerRefuses
from .address import Address, template_of
from .api import ALTERNATIVES
from .http import CUT, Http
from .piece import Piece, piece_of, pieces_of, text_of
from .text_prompt import TextPrompt

MOST_STOPS = 4  # that servers take
# vLLM keeps text back while it may become a stop string, but not the probabilities of its tokens;
# it hides marks, so that no such string is ever found; and it takes penalties from the model.
VLLM = {"skip_special_tokens": False, "repetition_penalty": 1.0, "top_k": -1}


class OpenAi:
    """`api.Api`: `/completions` under the address."""

    def __init__(self, address: Address, token: str | None) -> None:
        self._http = Http(address.url, token)
        self._model = address.model
        self._family = address.family
        self._owner: str | None = None  # of the model, as the server says; which tells its kind
        if self._family or self._model:
            template_of(self._family or self._model)  # what cannot be asked is said at once

    async def look(self) -> str:
        found = await self._http.get("/models")
        try:
            owners = {str(each["id"]): str(each.get("owned_by")) for each in found["data"]}
        except (TypeError, KeyError, AttributeError) as error:
            raise ServerRefuses("lists no models: the address ends in /v1 mostly") from error
        if self._model and self._model not in owners:
            raise ServerRefuses(f"has no model {self._model!r:.80}, but {some([*owners])}")
        if not self._model and len(owners) != 1:
            raise ServerRefuses(f"has {some([*owners])}: put #NAME behind the address")
        self._model = self._model or next(iter(owners))
        self._owner = owners[self._model]
        template_of(self._family or self._model)
        return self._model

    async def stream(
        self, prompt: TextPrompt, said: str, most_tokens: int, sampling: Sampling
    ) -> AsyncGenerator[Piece]:
        if self._owner is None:
            await self.look()
        template = template_of(self._family or self._model)
        marks = [mark for mark in (template.file, *template.ends) if mark]
        body = {
            "model": self._model,
            "prompt": prompt.written(template, said),
            "max_tokens": most_tokens,
            **drawn(sampling),
            "stream": True,
            "logprobs": ALTERNATIVES,
            **(VLLM if self._owner == "vllm" else {"stop": marks[:MOST_STOPS]}),
        }
        reason = None
        async with aclosing(self._http.events("/completions", body)) as found:
            async for event in found:
                for choice in _first(event):
                    for piece in _pieces(choice):
                        yield piece.before(marks)
                    reason = choice.get("finish_reason") or reason
        if reason not in ("stop", "length", "eos_token", "eos"):
            raise ServerAway(CUT if reason is None else f"{CUT} ({reason!s:.40})")
        if reason != "length":
            yield Piece("", ended=True)

    async def close(self) -> None:
        await self._http.close()


def drawn(sampling: Sampling) -> dict[str, float]:
    """How tokens are chosen; what is usual only where servers differ in what they take for that."""
    chosen = {"temperature": sampling.temperature, "seed": sampling.seed, "top_p": sampling.top_p}
    return {**chosen, **({"min_p": sampling.min_p} if sampling.min_p else {})}


def some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "") or "none"


def _first(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the choices in an event those of the one that was asked for."""
    return [choice for choice in event.get("choices") or () if not choice.get("index")]


def _pieces(choice: Mapping[str, Any]) -> list[Piece]:
    """With probabilities as OpenAI writes them, or as llama.cpp does."""
    text, known = text_of(choice.get("text")), choice.get("logprobs") or {}
    if known.get("content"):
        return [piece_of(text, known["content"][0])]
    tokens, logs, top = (known.get(f) or () for f in ("tokens", "token_logprobs", "top_logprobs"))
    if not tokens and len(logs) == 1:
        tokens = [text]
    each = zip_longest(map(str, tokens), logs[: len(tokens)], top[: len(tokens)])
    return pieces_of(text, [*each])
