"""The two ways to ask: OpenAI's `/v1/completions` with our prompt, and llama.cpp's `/infill`."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Protocol

import httpx2

from ...api.request import Sampling
from ..remote.errors import ServerAway, ServerBusy, ServerRefuses
from .address import Address, Kind, template_of
from .piece import Piece, events, odds_of
from .text_prompt import TextPrompt

CONNECT_SECONDS = 3.0
LOOK_SECONDS = 5.0
ALTERNATIVES = 5  # tokens that a server is asked to name beside each
BUSY_SECONDS = 2.0


class Api(Protocol):
    """A server's."""

    async def look(self) -> str:
        """The name of the model that answers. Raises `ServerError`, as all of these."""
        ...

    def stream(
        self, prompt: TextPrompt, said: str, most_tokens: int, sampling: Sampling
    ) -> AsyncGenerator[Piece]:
        """What comes between the texts, behind what is `said` of it already. Closing it ends the
        work there."""
        ...

    async def close(self) -> None: ...


def api_of(address: Address, token: str | None) -> Api:
    kind = {Kind.OPENAI: OpenAi, Kind.LLAMA_CPP: LlamaCpp}[address.kind]
    return kind(address, token)


class _Http:
    """What both have in common."""

    def __init__(self, address: Address, token: str | None) -> None:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)
        self._client = httpx2.AsyncClient(headers=headers, timeout=timeout)
        self._url = address.url

    async def close(self) -> None:
        await self._client.aclose()

    async def _get(self, path: str) -> Any:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                response = await self._client.get(self._url + path)
        except (httpx2.HTTPError, TimeoutError, OSError) as error:
            raise ServerAway(f"cannot be reached: {str(error) or type(error).__name__}") from error
        if not response.is_success:
            raise _error(response.status_code, response.content, response.headers)
        try:
            return response.json()
        except ValueError as error:
            raise ServerRefuses("it speaks no JSON: look at the address") from error

    async def _events(
        self, path: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[Mapping[str, Any]]:
        try:
            async with self._client.stream("POST", self._url + path, json=body) as response:
                if not response.is_success:
                    content = await response.aread()
                    raise _error(response.status_code, content, response.headers)
                async for event in events(response.aiter_lines()):
                    if "error" in event:
                        raise ServerRefuses(f"it says: {_words(event['error'])}")
                    yield event
        except (httpx2.HTTPError, OSError) as error:
            raise ServerAway(f"cannot be reached: {str(error) or type(error).__name__}") from error


class OpenAi(_Http):
    """`/completions` under the address, with raw prompts."""

    def __init__(self, address: Address, token: str | None) -> None:
        super().__init__(address, token)
        self._model = address.model
        if self._model:
            template_of(self._model)  # what cannot be asked is said at once

    async def look(self) -> str:
        found = await self._get("/models")
        try:
            names = [str(each["id"]) for each in found["data"]]
        except (TypeError, KeyError) as error:
            raise ServerRefuses("it lists no models: the address ends in /v1 mostly") from error
        if self._model and self._model not in names:
            raise ServerRefuses(f"it has no model {self._model!r:.80}, but {_some(names)}")
        if not self._model and len(names) != 1:
            raise ServerRefuses(f"it has {_some(names)}: put #NAME behind the address")
        self._model = self._model or names[0]
        template_of(self._model)
        return self._model

    async def stream(
        self, prompt: TextPrompt, said: str, most_tokens: int, sampling: Sampling
    ) -> AsyncGenerator[Piece]:
        template = template_of(self._model or await self.look())
        body = {
            "model": self._model,
            "prompt": prompt.written(template, said),
            "max_tokens": most_tokens,
            **_drawn(sampling),
            "stream": True,
            "logprobs": ALTERNATIVES,
            "stop": [mark for mark in (template.file, *template.ends) if mark][:4],
        }
        async with aclosing(self._events("/completions", body)) as found:
            async for event in found:
                for choice in event.get("choices") or ():
                    yield _piece_of_choice(choice)


class LlamaCpp(_Http):
    """`/infill`, which knows its model's marks."""

    async def look(self) -> str:
        found = await self._get("/props")
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
            **_drawn(sampling),
            "stream": True,
            "cache_prompt": True,
            "n_probs": ALTERNATIVES,
        }
        async with aclosing(self._events("/infill", body)) as found:
            async for event in found:
                probabilities = event.get("completion_probabilities") or [{}]
                text, each = str(event.get("content", "")), probabilities[0]
                yield _piece(text, each, ended=event.get("stop_type") in ("eos", "word"))


def _drawn(sampling: Sampling) -> dict[str, float]:
    """How tokens are chosen; only what is not usual, since not all know it."""
    drawn = {"temperature": sampling.temperature, "seed": sampling.seed}
    top_p = {} if sampling.top_p == 1.0 else {"top_p": sampling.top_p}
    return {**drawn, **top_p, **({"min_p": sampling.min_p} if sampling.min_p else {})}


def _piece_of_choice(choice: Mapping[str, Any]) -> Piece:
    """Of a streamed completion, with probabilities as OpenAI writes them, or as llama.cpp does."""
    text, known = str(choice.get("text") or ""), choice.get("logprobs") or {}
    ended = choice.get("finish_reason") == "stop"
    if known.get("content"):
        return _piece(text, known["content"][0], ended)
    top = (known.get("top_logprobs") or [None])[0] or {}
    chosen = (known.get("token_logprobs") or [None])[0]
    token = (known.get("tokens") or [text])[0]
    pairs = sorted(top.items(), key=lambda each: -each[1]) if isinstance(top, Mapping) else []
    others = tuple(other for other, _ in pairs if other != token)
    return Piece(text, odds_of(token, chosen, pairs), others, ended)


def _piece(text: str, known: Mapping[str, Any], ended: bool) -> Piece:
    top = [(str(t.get("token", "")), t.get("logprob")) for t in known.get("top_logprobs") or ()]
    token = str(known.get("token", text))
    others = tuple(other for other, _ in top if other != token)
    return Piece(text, odds_of(token, known.get("logprob"), top), others, ended)


def _error(status: int, content: bytes, headers: Mapping[str, str]) -> Exception:
    try:
        said = _words(json.loads(content).get("error"))
    except (ValueError, AttributeError):
        said = f"HTTP {status}"
    match status:
        case 401 | 403:
            return ServerRefuses(f"it wants another key ({said}): set KEYTURN_TOKEN")
        case 404 | 405:
            return ServerRefuses(f"it has no such model or address ({said})")
        case 429:
            try:
                return ServerBusy(said, min(60.0, max(0.5, float(headers["retry-after"]))))
            except (KeyError, ValueError):
                return ServerBusy(said, BUSY_SECONDS)
        case 503:
            return ServerAway(f"is not ready ({said})")
        case code if code >= 500:
            return ServerAway(f"cannot answer ({said})")
    return ServerRefuses(f"it refuses the request ({said})")


def _words(error: Any) -> str:
    """In one line."""
    said = error.get("message", error) if isinstance(error, Mapping) else error
    return " ".join(str(said).split())[:200]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (" and others" if len(names) > 5 else "") or "none"
