"""A server that is not ours, from a recording of it: it answers what it was asked then, and nothing
else.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from support.until import until


@dataclass
class Replayed:
    """`exchanges` in their order; `url` is where they are served now. `differs`: what it was asked
    instead of the next one."""

    exchanges: list[dict[str, Any]]
    url: str = ""
    served: int = 0
    differs: list[tuple[Any, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> "Replayed":
        return cls(json.loads(path.read_text(encoding="utf-8"))["exchanges"])

    @property
    def asked(self) -> list[dict[str, Any]]:
        """For completions."""
        return [each["json"] for each in self.exchanges if each["json"]]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Streamed in answer."""
        lines = [line for each in self.exchanges for line in each["body"].splitlines()]
        return [json.loads(line[6:]) for line in lines if line.startswith("data: {")]


@contextmanager
def replaying(path: Path) -> Iterator[Replayed]:
    """On a free port, in a thread of its own."""
    replayed = Replayed.of(path)

    async def answer(request: Request) -> Response:
        exchange = replayed.exchanges[min(replayed.served, len(replayed.exchanges) - 1)]
        replayed.served += 1
        body = await request.body()
        asked = request.method, request.url.path, json.loads(body) if body else None
        recorded = exchange["method"], exchange["path"], exchange["json"] or asked[2]
        if asked != recorded:
            replayed.differs.append((asked, recorded))
        return Response(exchange["body"], exchange["status"], media_type=exchange["content_type"])

    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the server has started")
    replayed.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield replayed
    finally:
        server.should_exit = True
        thread.join(20)
