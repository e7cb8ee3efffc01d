"""The engine thread's engine around a loaded model, with a session for each recent file."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...api.report import Completion, CompletionMeta
from ...api.request import CompletionRequest
from ...cache.budget import Budget
from ...models.device import Aside, aside, give_back
from ...models.errors import ModelError
from ...models.loading.loader import Loaded
from ..completion.engine import Engine, EngineOptions
from ..completion.file_session import FileSession
from ..completion.idle_refresh import Refresher
from ..completion.request import Completion as Found
from ..completion.request import Request
from ..server.engine_thread import File
from ..server.jobs import FileKey
from .sessions import Sessions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Apart:
    """A session whose refreshing runs where nothing waits for it; `idle_refresh.Refreshable`."""

    session: FileSession
    aside: Aside

    def refresh(self, most_tokens: int) -> int:
        return self.aside.run(lambda: self.session.refresh(most_tokens))


class ModelEngine:
    """Completes with one model. The file used longest ago gives its cache up first."""

    def __init__(
        self,
        loaded: Loaded,
        options: EngineOptions,
        path_of: Callable[[str], str],
        budget: Budget,
        refresher: Refresher,
        allowance: Callable[[int], int] | None = None,
    ) -> None:
        """`allowance`: how many bytes caches may take that take so many now, asked before each
        completion; the budget's own number without it."""
        self.name = loaded.name
        self._budget = budget
        self._refresher = refresher
        self._loaded = loaded
        self._engine = Engine(loaded, options)
        self._path_of = path_of
        self._sessions = Sessions(self._engine.new_session, budget, self._engine.context_tokens)
        self._allowance = allowance
        self._aside = aside(loaded.model.device)

    def complete(
        self,
        file: File,
        request: CompletionRequest,
        deadline: float,
        cancelled: Callable[[], bool],
        stream: Callable[[str], None] | None = None,
    ) -> list[Completion]:
        started = time.monotonic()
        offset, wanted = request.offset, request.options
        decode_ms = wanted.decode_ms
        found = self._engine.complete(
            Request(
                prefix=file.text[:offset],
                suffix=file.text[offset:],
                path=self._path_of(request.uri),
                max_tokens=wanted.max_tokens,
                extent=wanted.extent,
                sampling=wanted.sampling,
                candidates=wanted.candidates,
                deadline=deadline,
                decode_seconds=None if decode_ms is None else decode_ms / 1e3,
                grammar=wanted.grammar,
                speculate=wanted.speculation,
            ),
            cancelled,
            stream,
            session=self._session(file.key),
            others=self._sessions.others(file.key),
        )
        meta = self._meta(found, (time.monotonic() - started) * 1e3)
        texts = [candidate.text for candidate in found.candidates] or [""]
        return [Completion(text, offset, offset, meta) for text in texts]

    def refresh(self, key: FileKey | None, interrupted: Callable[[], bool]) -> None:
        if not self._loaded.settle(interrupted):
            return
        session = None if key is None else self._sessions.get(key)
        if session is not None:
            self._refresher.run(Apart(session, self._aside), interrupted)

    def forget(self, key: FileKey) -> None:
        self._sessions.close(key)

    def status(self) -> dict[str, Any]:
        return {
            "device": str(self._loaded.model.device),
            "kernels": str(self._loaded.plan),
            "kernels_to_pack": self._loaded.model.kernels_to_pack(),
            "attention": self._loaded.attention,
            "cache_bytes": self._budget.used_bytes,
            "cache_most_bytes": self._budget.most_bytes,
            "evicted_files": self._budget.evicted,
            "idle_work": str(self._refresher.work),
            "speculation": self._engine.speculator.status(),
            "files": [
                {
                    "uri": key.uri,
                    "tokens": len(session.sequence),
                    "stale_share": round(session.staleness().share, 4),
                }
                for key, session in self._sessions
            ],
        }

    def close(self) -> None:
        """Free everything, on the device too. Nothing can be asked afterwards."""
        try:
            self._engine.speculator.save()
        except ModelError as error:  # they are only guesses
            log.warning("what drafts are made of is not kept: %s", error)
        self._sessions.clear()
        device = self._loaded.model.device
        del self._engine, self._loaded, self._sessions  # these make sessions of the engine
        give_back(device)

    def _session(self, key: FileKey) -> FileSession:
        """The file's, with room for a whole context. Raises `OverBudget`."""
        if self._allowance is not None:
            self._budget.most_bytes = self._allowance(self._budget.used_bytes)
        evicted = self._budget.evicted
        session = self._sessions.use(key)
        if self._budget.evicted > evicted:
            give_back(self._loaded.model.device)
        return session

    def _meta(self, found: Found, total_ms: float) -> CompletionMeta:
        return CompletionMeta(
            model=self.name,
            device=str(self._loaded.model.device),
            finish=found.finish,
            prompt_tokens=found.prompt_tokens,
            reused_tokens=found.reused_tokens,
            generated_tokens=found.generated_tokens,
            tokenise_ms=found.timings.tokenise,
            prefill_ms=found.timings.prefill,
            decode_ms=found.timings.decode,
            total_ms=total_ms,
            cache=found.cache,
            grammar=found.grammar,
            speculation=found.speculation,
        )
