"""Files for a server that keeps none: every question carries what it needs of the text."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...api.chunk import Chunk
from ...api.report import Completion, CompletionMeta, Finish
from ...api.request import CompletionRequest, Sampling
from ...lsp.backend import TextEdit
from ...models.confidence.estimator import fitted
from ...models.prompts.fim import NOWHERE, Order, Prompt
from ..completion.candidates import Brief
from ..completion.grammars import Grammars
from ..completion.regions import region_at
from ..completion.request import Candidate, InfillRequest
from ..completion.weighed import weighed
from ..file_text import FileText
from ..remote.errors import Outdated, ServerAway
from ..remote.reply import Reply
from .address import Address, Kind
from .api import Api
from .infilling import CHARACTERS_PER_TOKEN, Infilling
from .llama_cpp import LlamaCpp
from .ollama import Ollama
from .openai import OpenAi

APIS = {Kind.OPENAI: OpenAi, Kind.LLAMA_CPP: LlamaCpp, Kind.OLLAMA: Ollama}
WARM = 0.7  # the temperature of all candidates but the first
NO_PROMPT = Prompt((), NOWHERE, NOWHERE, Order.PSM)  # the server has the tokens


@dataclass(frozen=True, slots=True)
class Text:
    """A file as it is now."""

    name: str
    text: str


class ForeignFiles:
    """`remote.server_thread.Files` for one server. Used from one event loop."""

    def __init__(self, address: Address, token: str | None, context_tokens: int) -> None:
        self._api: Api = APIS[address.kind](address, token)
        self._characters = CHARACTERS_PER_TOKEN * context_tokens
        self._grammars = Grammars()
        self._files: dict[str, Text] = {}
        self._model = address.model
        self._in_turn = False  # whether it is to be asked for one candidate at a time
        self.is_quiet = False

    def show(self, key: str, name: str, language: str, text: str) -> None:
        self._files[key] = Text(name, text)

    def edit(self, key: str, edits: Sequence[TextEdit], text: str) -> None:
        if (known := self._files.get(key)) is not None:
            self._files[key] = replace(known, text=text)

    def surround(self, key: str, chunks: tuple[Chunk, ...]) -> None:
        """It is shown nothing of the project."""

    def forget(self, key: str) -> None:
        self._files.pop(key, None)

    def tell(self) -> None:
        """It is told nothing."""

    async def look(self) -> str:
        self._model = await self._api.look()
        return self._model

    async def close(self) -> None:
        await self._api.close()
        self._grammars.close()

    async def ask(self, key: str, request: CompletionRequest) -> Reply:
        if (known := self._files.get(key)) is None:
            raise Outdated("the file was closed")
        started = time.perf_counter()
        found, meta = await self._complete(self._infill(known, request))
        meta = replace(meta, total_ms=(time.perf_counter() - started) * 1e3)
        offset = request.offset
        return Reply(
            tuple(Completion(c.text, offset, offset, meta, c.confidence) for c in found)
            or (Completion("", offset, offset, meta),),
            "",
        )

    def _infill(self, known: Text, request: CompletionRequest) -> InfillRequest:
        text = FileText.of(known.text)
        cursor = text.offset(request.offset)
        return InfillRequest(
            prefix=text.text[:cursor],
            suffix=text.text[cursor:],
            path=known.name,
            options=request.options,
            newline=text.newline(request.offset),
            deadline=time.monotonic() + request.options.deadline_ms / 1e3,
        )

    async def _complete(
        self, request: InfillRequest
    ) -> tuple[tuple[Candidate, ...], CompletionMeta]:
        """The candidates worth showing, best first: the likeliest, and others drawn at random."""
        region = region_at(request.path, request.prefix, request.suffix)
        limit = request.options.max_tokens
        near = request.near(self._characters)
        request = request.decoding_now()
        brief = Brief(request, region.language, near, NO_PROMPT, frozenset(), limit)
        guide = await asyncio.to_thread(self._grammars.begin(request, region, brief.trimmed))
        infilling = Infilling(self._api, brief, guide, self._characters)
        more = range(1, request.options.candidates)
        sampling = request.options.sampling
        samplings = [sampling, *(Sampling(WARM, seed=sampling.seed + n) for n in more)]
        tried = await self._all(infilling, samplings)
        found = weighed(fitted(), brief.distinct(tried))
        meta = CompletionMeta(
            self._model,
            "server",
            finish=found[0].finish if found else Finish.EOS,
            generated_tokens=sum(each.tokens for each in tried),
            grammar=guide.use,
        )
        return found, meta

    async def _all(self, infilling: Infilling, samplings: Sequence[Sampling]) -> list[Candidate]:
        """One after the other at a server that cuts an answer off when it is asked again."""
        if not self._in_turn:
            try:
                return await gathered(infilling.candidate(each) for each in samplings)
            except ServerAway:
                if len(samplings) == 1:
                    raise
                self._in_turn = True
        return [await infilling.candidate(each) for each in samplings]


async def gathered(asked: Iterable[Coroutine[Any, Any, Candidate]]) -> list[Candidate]:
    """All of them at once. With the first failure the others are given up."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asked]
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
    return [task.result() for task in tasks]
