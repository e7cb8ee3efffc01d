"""A real backend small enough to reason about: it completes with what it can see of the text.

The suggestion at any place is `<length of the text before>:<version>`, so a test can tell from an
answer which text and which version it was computed from. A text that contains `SLOW` is answered
only when the test lets it.
"""

import asyncio
from typing import Any

from keyturn.api.confidence import Confidence
from keyturn.api.report import ChunkUse, Completion, CompletionMeta, Finish, ProjectUse
from keyturn.api.request import CompletionRequest
from keyturn.lsp.backend import (
    BackendError,
    Control,
    Feedback,
    OpenDocument,
    ProjectRules,
    Superseded,
    TextEdit,
    UseModel,
)

PROJECT = ProjectUse((ChunkUse("lib/b.py", 3, "helper"), ChunkUse("c.py", 1, "C")), 12, 1, 0.5)


class TinyBackend:
    def __init__(self) -> None:
        self.texts: dict[str, tuple[int, str]] = {}
        self.projects: dict[str, list[ProjectRules]] = {}  # as they were told
        self.requests: list[CompletionRequest] = []
        self.cancelled = 0
        self.controls: list[Control] = []
        self.go = asyncio.Event()
        self.answer: str | None = None
        self.finish = Finish.LINES
        self.confidence: Confidence | None = None

    @property
    def feedback(self) -> list[Feedback]:
        return [command for command in self.controls if isinstance(command, Feedback)]

    def open(self, document: OpenDocument) -> None:
        self.texts[document.uri] = document.version, document.text
        self.projects.setdefault(document.uri, []).append(document.project)

    def edit(self, uri: str, version: int, edits: tuple[TextEdit, ...]) -> None:
        _, text = self.texts[uri]
        for edit in edits:
            text = edit.apply(text)
        self.texts[uri] = version, text

    def close(self, uri: str) -> None:
        del self.texts[uri]

    async def complete(self, request: CompletionRequest) -> list[Completion]:
        self.requests.append(request)
        version, text = self.texts[request.uri]
        if version != request.version:
            raise Superseded("another version")
        if "FAIL" in text:
            raise BackendError("the model is on fire")
        if "SLOW" in text:
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        answer = self.answer or f"{len(text[: request.offset])}:{version}"
        meta = CompletionMeta(
            "tiny",
            "cpu",
            self.finish,
            prompt_tokens=20,
            reused_tokens=15,
            generated_tokens=4,
            total_ms=35.25,
            project=PROJECT,
        )
        return [
            Completion(answer + "!" * i, request.offset, request.offset, meta, self.confidence)
            for i in range(request.options.candidates)
        ]

    async def control(self, command: Control) -> dict[str, Any]:
        self.controls.append(command)
        if command == UseModel("SLOW"):
            await self.go.wait()
        return {"model": "tiny"}
