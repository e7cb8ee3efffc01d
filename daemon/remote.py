"""Headless questions answered by the daemon that runs, in the words of `Headless`.

Only a daemon that has the very model, and would load it the same way, is asked; otherwise the
caller answers by itself. Nothing is started for this.
"""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ..cache.errors import KeyturnError
from ..lsp.backend import (
    BackendState,
    Completion,
    CompletionOptions,
    CompletionRequest,
    Extent,
    GrammarMode,
    OpenDocument,
    Phase,
    SpeculateMode,
    Trigger,
)
from . import protocol, startup
from .asking import Question
from .headless import Choice
from .make_engine import HEADLESS_SCHEME
from .paths import DaemonPaths
from .protocol import Why
from .time_limit import TimeUp

FOREVER_MS = 24 * 3600 * 1000


class DaemonFailed(KeyturnError):
    """The daemon could not answer."""


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """What the daemon found; prints as `headless.Answer` does."""

    completions: tuple[Completion, ...]

    @property
    def text(self) -> str:
        return self.completions[0].text if self.completions else ""

    def as_json(self) -> dict[str, Any]:
        meta = self.completions[0].meta
        return {
            "text": self.text,
            "candidates": [each.text for each in self.completions if each.text],
            "finish": meta.stop,
            "tokens": {
                "prompt": meta.prompt_tokens,
                "reused": meta.reused_tokens,
                "generated": meta.generated_tokens,
            },
            "timings": {
                "load": 0.0,
                "tokenise": round(meta.tokenise_ms, 1),
                "prefill": round(meta.prefill_ms, 1),
                "decode": round(meta.decode_ms, 1),
            },
            "grammar": {**asdict(meta.grammar), "bound": round(meta.grammar.bound, 4)},
            "speculation": asdict(meta.speculation),
            "model": meta.model,
            "device": meta.device,
        }


class RemoteHeadless:
    """A link to the daemon for one command. Use as a context manager."""

    def __init__(self, runner: asyncio.Runner, link: startup.Link) -> None:
        self._runner = runner
        self._link = link
        self._number = 0

    @classmethod
    def find(cls, paths: DaemonPaths, version: str, choice: Choice) -> "RemoteHeadless | None":
        """The running daemon, if it would answer as we would with `choice`."""
        if choice != Choice(choice.model):
            return None  # the daemon has devices and prompts of its own
        runner = asyncio.Runner()
        hello = protocol.Hello(protocol.PROTOCOL, version, "complete", os.getpid())
        link = runner.run(_link(paths, hello, choice.model))
        if link is None:
            runner.close()
            return None
        return cls(runner, link)

    def __enter__(self) -> "RemoteHeadless":
        return self

    def __exit__(self, *_: object) -> None:
        self._link.writer.close()
        self._runner.close()

    def answer(
        self,
        question: Question,
        stream: Callable[[str], None] | None = None,
        started: float | None = None,
    ) -> RemoteAnswer:
        """Raises `TimeUp` when the question's time has passed, `DaemonFailed`. `stream` gets the
        text in one piece."""
        answer = self._runner.run(self._answer(question, started))
        if stream is not None:
            stream(answer.text)
        return answer

    async def _answer(self, question: Question, started: float | None) -> RemoteAnswer:
        self._number += 1
        uri = HEADLESS_SCHEME + question.filename
        text = question.around.prefix + question.around.suffix
        request = _request(uri, self._number, question, started)
        self._link.send(protocol.Open(OpenDocument(uri, "", self._number, text)))
        self._link.send(protocol.Complete(self._number, request))
        while True:
            message = await protocol.read(self._link.reader, protocol.FromDaemon)
            match message:
                case protocol.Completed(number, completions) if number == self._number:
                    if not completions:
                        raise DaemonFailed("the daemon's engine gave no account of itself")
                    if completions[0].meta.stop == "deadline":
                        raise _time_up(question)
                    return RemoteAnswer(completions)
                case protocol.Failed(number, why, text) if number == self._number:
                    raise _time_up(question) if why is Why.DEADLINE else DaemonFailed(text)
                case None | protocol.Refused():
                    raise DaemonFailed("the daemon was lost; try again")
                case _:
                    continue


async def _link(paths: DaemonPaths, hello: protocol.Hello, model: str) -> startup.Link | None:
    link = await startup.connect(paths, hello)
    if link is None:
        return None
    state = await protocol.read(link.reader, protocol.FromDaemon)
    same_words = link.welcome.protocol == hello.protocol
    if same_words and isinstance(state, protocol.State) and _has(state.state, model):
        return link
    link.writer.close()
    return None


def _has(state: BackendState, model: str) -> bool:
    return state.model == model and state.phase is not Phase.FAILED


def _request(
    uri: str, version: int, question: Question, started: float | None
) -> CompletionRequest:
    wishes = question.wishes
    deadline_ms = FOREVER_MS
    if wishes.timeout is not None:
        spent = 0.0 if started is None else time.monotonic() - started
        deadline_ms = max(1, int((wishes.timeout - spent) * 1e3))
    options = CompletionOptions(
        Extent(wishes.extent),
        wishes.max_tokens,
        wishes.n,
        deadline_ms,
        float(wishes.temperature),
        float(wishes.top_p),
        float(wishes.min_p),
        wishes.seed,
        GrammarMode(wishes.grammar),
        SpeculateMode(wishes.speculate),
    )
    offset = len(question.around.prefix)
    return CompletionRequest(uri, version, offset, Trigger.INVOKED, options)


def _time_up(question: Question) -> TimeUp:
    return TimeUp(f"no completion within {question.wishes.timeout:g} s")
