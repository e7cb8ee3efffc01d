"""A server that is not ours, as their documents describe them: OpenAI's streamed completions,
llama.cpp's `/infill` and Ollama's `/api/generate`. What it says is written beforehand.
"""

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from support.until import until

MODEL = "qwen2.5-coder-7b"
WRITTEN = {"error": {"message": "written beforehand", "type": "x"}}


@dataclass(frozen=True, slots=True)
class Token:
    """And what it might have been instead, with their probabilities."""

    text: str
    chance: float = 0.9
    others: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Written:
    """Answers, one after the other; the last one for ever. `log` is what it was asked."""

    answers: Sequence[Sequence[Token]]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    style: str = "openai"  # or "llama.cpp": how it writes probabilities; "": it does not
    pause: float = 0.0  # seconds before each token
    raw: str | None = None  # the whole stream, whatever it is
    model: str = MODEL
    owner: str = "somebody"
    error: Mapping[str, Any] = field(default_factory=lambda: WRITTEN)  # with a status that is one
    reason: str | None = "stop"  # None: answers are cut off
    together: int = 1  # tokens in an event
    at_once: int | None = None  # answers; a new one cuts off the one before
    most_at_once: int = 0
    running: list[int] = field(default_factory=list)
    streamed: list[str] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    sent: int = 0  # tokens
    authorization: str | None = None
    url: str = ""

    def next(self) -> Sequence[Token]:
        return self.answers[min(len(self.log), len(self.answers)) - 1]


@contextmanager
def serving(written: Written) -> Iterator[Written]:
    """On a free port, in a thread of its own."""
    config = uvicorn.Config(_app(written), port=0, log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the server has started")
    port = server.servers[0].sockets[0].getsockname()[1]
    written.url = f"http://127.0.0.1:{port}"
    try:
        yield written
    finally:
        server.should_exit = True
        thread.join(20)


def _app(written: Written) -> Starlette:
    async def models(request: Request) -> Response:
        if written.status != 200:
            return refusal()
        return JSONResponse(
            {
                "object": "list",
                "data": [{"id": written.model, "object": "model", "owned_by": written.owner}],
            }
        )

    async def props(request: Request) -> Response:
        return JSONResponse({"model_path": f"/models/{MODEL}.gguf"})

    async def tags(request: Request) -> Response:
        return JSONResponse({"models": [{"name": f"{written.model}:latest"}]})

    async def complete(request: Request) -> Response:
        written.log.append(await request.json())
        written.authorization = request.headers.get("authorization")
        if written.status != 200:
            return refusal()
        path = request.url.path
        kind = "application/x-ndjson" if path == "/api/generate" else "text/event-stream"
        return StreamingResponse(stream(written.next(), path), media_type=kind)

    def refusal() -> Response:
        return JSONResponse(dict(written.error), written.status, headers=dict(written.headers))

    async def stream(tokens: Sequence[Token], path: str) -> AsyncIterator[str]:
        number = len(written.log)
        written.running.append(number)
        written.most_at_once = max(written.most_at_once, len(written.running))
        try:
            async for each in whole(tokens, path):
                if written.at_once and number not in written.running[-written.at_once :]:
                    return
                written.streamed.append(each)
                yield each
        finally:
            written.running.remove(number)

    async def whole(tokens: Sequence[Token], path: str) -> AsyncIterator[str]:
        if written.raw is not None:
            yield written.raw
            return
        for start in range(0, len(tokens), written.together):
            some = tokens[start : start + written.together]
            await asyncio.sleep(written.pause)
            written.sent += len(some)
            if path == "/api/generate":
                yield json.dumps(_generated(some)) + "\n"
            else:
                said = _infilled(*some) if path == "/infill" else _choice(some, written)
                yield f"data: {json.dumps(said)}\n\n"
        if written.reason is None:
            return
        if path == "/api/generate":
            yield '{"response": "", "done": true, "done_reason": "stop"}\n'
        elif path == "/infill":
            yield 'data: {"content": "", "stop": true, "stop_type": "eos"}\n\n'
        else:
            end = {"index": 0, "text": "", "logprobs": None, "finish_reason": written.reason}
            yield f"data: {json.dumps({'choices': [end]})}\n\n"
            yield "data: [DONE]\n\n"

    return Starlette(
        routes=[
            Route("/v1/models", models),
            Route("/props", props),
            Route("/v1/completions", complete, methods=["POST"]),
            Route("/infill", complete, methods=["POST"]),
            Route("/api/tags", tags),
            Route("/api/generate", complete, methods=["POST"]),
        ]
    )


def _choice(tokens: Sequence[Token], written: Written) -> dict[str, Any]:
    logprobs: dict[str, Any] | None = None
    if written.style == "openai":
        logprobs = {
            "tokens": [token.text for token in tokens],
            "token_logprobs": [_log(token.chance) for token in tokens],
            "top_logprobs": [{text: _log(p) for text, p in _all(token)} for token in tokens],
            "text_offset": [0 for _ in tokens],
        }
    elif written.style == "llama.cpp":
        logprobs = {"content": [_listed(token) for token in tokens]}
    text = "".join(token.text for token in tokens)
    choice = {"index": 0, "text": text, "logprobs": logprobs, "finish_reason": None}
    return {"object": "text_completion", "choices": [choice]}


def _infilled(token: Token) -> dict[str, Any]:
    return {
        "content": token.text,
        "stop": False,
        "completion_probabilities": [_listed(token)],
    }


def _generated(tokens: Sequence[Token]) -> dict[str, Any]:
    text = "".join(token.text for token in tokens)
    return {"response": text, "done": False, "logprobs": [_listed(token) for token in tokens]}


def _listed(token: Token) -> dict[str, Any]:
    top = [{"token": text, "logprob": _log(p)} for text, p in _all(token)]
    return {"token": token.text, "logprob": _log(token.chance), "top_logprobs": top}


def _all(token: Token) -> list[tuple[str, float]]:
    return [(token.text, token.chance), *token.others.items()]


def _log(chance: float) -> float:

    return math.log(chance)
